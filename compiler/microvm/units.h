/* SPDX-License-Identifier: MIT */
/* units: controls the VMs' services with systemctl. */
#ifndef MVM_COMPILER_MICROVM_UNITS_H
#define MVM_COMPILER_MICROVM_UNITS_H

#include "compiler/microvm/host.h"

/* "microvm@NAME.service" */
const char *unit_name(struct arena *arena, const char *name);
/* A unit's properties in systemd. Unknown texts are "". */
struct unit {
	const char *name;
	bool is_loaded;
	const char *user, *group, *groups; /* from the unit file; `groups` is a list with spaces */
	const char *directory;             /* in which it runs */
	const char *active, *sub, *result; /* ActiveState, SubState, Result of systemctl show */
	const char *enabled;               /* UnitFileState */
	bool has_job;                      /* it waits for its turn to start or stop */
	unsigned long restarts, process;
	unsigned long status;        /* of its process, if that has ended */
	unsigned long long since_us; /* of CLOCK_MONOTONIC, when its state changed; 0: never */
};
/* Asks systemd for several units at once, by their full names. Without systemd, all are unknown. */
struct unit *units_ask(const struct host *host, const struct strings *names);
/* Asks systemd for the unit of a VM. */
struct unit unit_find(const struct host *host, const char *name);
bool unit_is_active(const struct unit *unit);
/* Whether the unit waits for its next start, or has failed. */
bool unit_has_failed(const struct unit *unit);
/* Whether systemd starts a unit of the VM no more, because it has started too often. */
bool units_gave_up(const struct host *host, const char *name);
/* Whether the unit runs the VM in this directory. */
bool unit_is_of(const struct unit *unit, const char *directory);
/*
 * Why the VM does not run: the last line of the unit that failed, in one line; NULL: no unit of the
 * VM has failed. `since` is a time for journalctl; NULL: any time.
 */
const char *unit_failure(const struct host *host, const char *name, const char *since);
/* Whether a line of a unit or a check does not explain a failure. */
bool unit_line_is_remark(const char *line);
/*
 * Restarts the unit and watches it until the hypervisor has run for some seconds, or until the
 * guest is ready, if it reports that. Returns NULL if the VM runs, else the reason.
 */
const char *unit_restart_watched(const struct host *host, const char *name);

/* Whether each of the VMs runs, in the order of the names. Without systemd none does. */
bool *units_running(const struct host *host, const struct strings *names);
bool unit_runs(const struct host *host, const char *name);
bool unit_stop(const struct host *host, const char *name);
/* Disables the start at boot. Without systemd there is nothing to do. */
bool unit_disable(const struct host *host, const char *name);

/*
 * Removes and prints the administrator's settings for the units of this VM alone (drop-ins,
 * limits), and makes systemd forget their failures.
 */
bool units_forget(const struct host *host, const char *name);

#endif
