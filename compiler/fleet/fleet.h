/* SPDX-License-Identifier: MIT */
/*
 * fleet: builds all VMs of a host from one file, for `mvmbuild host`. The output is a directory
 * that is published as a whole:
 *   runners/NAME            one for each VM; files common to several (kernels, programs) are hard
 *                           links to one file, which nobody writes to
 *   store-disks/KEY         one for all VMs with the same closure, linked into their runners
 *   bin/install-host        installs it, reports what changed and restarts VMs
 *   share/                  the input of install-host: state-dir, group, vms (a line for each),
 *                           systemd/ (units and other configuration)
 *   host.json               the same information for programs
 */
#ifndef MVM_COMPILER_FLEET_FLEET_H
#define MVM_COMPILER_FLEET_FLEET_H

#include "compiler/runner/gcroots.h"
#include "compiler/session/depfile.h"
#include "compiler/session/progress.h"
#include "compiler/session/session.h"

struct fleet_vm {
	struct pos where;
	const char *name;
	const struct node *config; /* the description; NULL: read it from `source` */
	const char *source;
	const char *update_from; /* NULL: the VM is updated through the host's file */
	bool autostart;
	bool restart_if_changed;

	/*
	 * from its plan, which is freed and made again when needed: all plans would not fit into
	 * memory
	 */
	const char *fingerprint;
	const char *toplevel;
	const char *disk; /* path in the runner; NULL: the VM has no store disk */
	const char *disk_key;
	const char *maps_as; /* the user who maps the disk's pages; NULL: it is not pmem */
};

struct fleet {
	const char *file; /* that describes it */
	const char *state_dir, *user, *group;
	struct {
		struct fleet_vm *v;
		size_t n;
	} vms;
	struct gcroots_paths roots; /* of all VMs */
	struct inputs inputs;       /* of the host's file and all VMs */
	struct places *places;
	struct shared *shared;
};

/*
 * Reads the host's file, and checks and plans every VM, so that all mistakes are reported in one
 * run. --set and --hypervisor of the session are laid over each VM. fleet_free frees it, also after
 * an error.
 */
bool fleet_plan(struct session *session, const char *file, struct fleet *fleet);
/* Like fleet_plan, but checks only the text of the descriptions, and makes no plan. */
bool fleet_check(struct session *session, const char *file, struct fleet *fleet);
/*
 * Whether a file describes a host: it has `vms`, unlike the description of a VM. False if it cannot
 * be read.
 */
bool fleet_is_host(const char *file);
/* Reads only the host's file. VMs whose options have no errors can still be used after an error. */
bool fleet_read(struct session *session, const char *file, struct fleet *fleet);
void fleet_free(struct fleet *fleet);
/* Prepares the session of one VM, with the given arena and diag. */
bool fleet_begin_vm(const struct session *session, const struct fleet *fleet,
	const struct fleet_vm *vm, struct arena *arena, struct diag *diag, struct session *own);
/* Plans one VM in a session of its own, with the given arena and diag. */
bool fleet_plan_vm(const struct session *session, const struct fleet *fleet,
	const struct fleet_vm *vm, struct arena *arena, struct diag *diag, struct session *own);
/* Builds the planned host at `output`; `*changed` is whether it was not up to date. */
bool fleet_build(struct session *session, struct progress *progress, const struct fleet *fleet,
	const char *output, bool *changed);
/* Writes everything except runners and disks into `directory`. */
bool fleet_write(struct session *session, const struct fleet *fleet, const char *directory);
/* Returns the text of host.json: equal texts mean equal outputs. */
const char *fleet_manifest(struct session *session, const struct fleet *fleet);
#define FLEET_MANIFEST "host.json"
enum { FLEET_MANIFEST_BYTES = 64 << 20 };
/* Whether a directory is an output of `mvmbuild host`. */
bool fleet_is_built(struct arena *arena, const char *directory);
/* Lists the VMs in such a directory. */
bool fleet_built_names(struct session *session, const char *output, struct strings *names);
/*
 * Prints for each VM whether a build would change it in `output`, which need not exist, and lists
 * the VMs in it that are no longer declared.
 */
void fleet_print_changes(struct session *session, const struct fleet *fleet, const char *output);

#endif
