/* SPDX-License-Identifier: MIT */
/*
 * fleet: all VMs of a host from one file, `mvmbuild host`. Its output is a directory, made and
 * published as a whole:
 *   runners/NAME            what is the same in several of them (kernels, programs) are hard links
 *   of one file, which nobody writes to
 *   store-disks/KEY         one for all VMs with the same closure, linked into their runners
 *   bin/install-host        puts it in place, says what changed, restarts what is to be restarted
 *   share/                  what install-host reads: state-dir, group, vms (a line for each),
 *   systemd/ (units and their like)
 *   host.json               the same for programs
 */
#ifndef MVM_COMPILER_FLEET_FLEET_H
#define MVM_COMPILER_FLEET_FLEET_H

#include "compiler/runner/gcroots.h"
#include "compiler/session/session.h"

struct fleet_vm {
	struct pos where;
	const char *name;
	const struct node *config; /* a description; NULL: `source` */
	const char *source;
	const char *update_from; /* NULL: it is the host's file that changes it */
	bool autostart;
	bool restart_if_changed;

	/* of its plan, which is made anew when it is wanted: many of them must not add up */
	const char *fingerprint;
	const char *toplevel;
	const char *disk; /* in the runner; NULL: it has no store disk */
	const char *disk_key;
};

struct fleet {
	const char *state_dir, *user, *group;
	struct {
		struct fleet_vm *v;
		size_t n;
	} vms;
	struct gcroots_paths roots; /* of all VMs */
	struct places *places;
	struct shared *shared;
};

/*
 * Reads the host's file, checks and plans every VM; all mistakes are told in one run. End it by
 * fleet_free, however it went.
 */
bool fleet_plan(struct session *session, struct fleet *fleet);
void fleet_free(struct fleet *fleet);
/* Plans one VM, in a session of that arena and diag. */
bool fleet_plan_vm(const struct session *session, const struct fleet *fleet,
	const struct fleet_vm *vm, struct arena *arena, struct diag *diag, struct session *own);
/* Builds what was planned at `output`; `*changed`: something was to do. */
bool fleet_build(
	struct session *session, const struct fleet *fleet, const char *output, bool *changed);
/* Writes everything but runners and disks into `directory`. */
bool fleet_write(struct session *session, const struct fleet *fleet, const char *directory);
/* The text of host.json: equal texts are equal outputs. */
const char *fleet_manifest(struct session *session, const struct fleet *fleet);
#define FLEET_MANIFEST "host.json"

#endif
