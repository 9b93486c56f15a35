/* SPDX-License-Identifier: MIT */
/*
 * fleet: all VMs of a host from one file, `mvmbuild host`. Its output is a directory, made and published as a whole:
 *   runners/NAME            store-disks/KEY    one for all VMs with the same closure, linked into their runners
 *   bin/install-host        puts it in place, says what changed, restarts what is to be restarted
 *   share/                  what install-host reads: state-dir, group, vms (a line for each), systemd/ (units and their like)
 *   host.json               the same for programs
 */
#ifndef MVM_FLEET_H
#define MVM_FLEET_H

#include "compiler/session.h"

struct fleet_vm {
	struct pos where;
	const char *name;
	const struct node *config; /* a description; NULL: `source` */
	const char *source;
	const char *update_from;   /* NULL: it is the host's file that changes it */
	bool autostart;
	bool restart_if_changed;

	struct session session;    /* its plan */
	const char *fingerprint;
	const char *disk_key;      /* NULL: no store disk */
};

struct fleet {
	const char *state_dir, *user, *group;
	struct {
		struct fleet_vm *v;
		size_t n;
	} vms;
	struct places *places;
};

/* Reads the host's file, checks and plans every VM; all mistakes are told in one run. */
bool fleet_plan(struct session *session, struct fleet *fleet);
/* Builds what was planned at `output`; `*changed`: something was to do. */
bool fleet_build(struct session *session, const struct fleet *fleet, const char *output, bool *changed);
/* Writes everything but runners and disks into `directory`. */
bool fleet_write(struct session *session, const struct fleet *fleet, const char *directory);
/* The text of host.json: equal texts are equal outputs. */
const char *fleet_manifest(struct session *session, const struct fleet *fleet);
#define FLEET_MANIFEST "host.json"

#endif
