/* SPDX-License-Identifier: MIT */
/* units: controls the VMs' services with systemctl. */
#ifndef MVM_COMPILER_MICROVM_UNITS_H
#define MVM_COMPILER_MICROVM_UNITS_H

#include "compiler/microvm/host.h"

/* "microvm@NAME.service" */
const char *unit_name(struct arena *arena, const char *name);
/* What systemd knows about a unit. Texts are "" where it knows nothing. */
struct unit {
	const char *name;
	bool is_loaded;
	const char *user, *group, *groups; /* as the unit file has them; `groups` by spaces */
	const char *directory;             /* in which it runs */
	const char *active, *sub, *result; /* ActiveState, SubState, Result of systemctl show */
	const char *enabled;               /* UnitFileState */
	bool has_job;                      /* it waits for its turn to start or stop */
	unsigned long restarts, process;
	unsigned long status;        /* of its process, if that has ended */
	unsigned long long since_us; /* of CLOCK_MONOTONIC, when its state changed; 0: never */
};
/* Asks systemd for units by their whole names, at once. Without systemd nothing is known. */
struct unit *units_ask(const struct host *host, const struct strings *names);
/* Asks systemd for the unit of a VM. */
struct unit unit_find(const struct host *host, const char *name);
bool unit_is_active(const struct unit *unit);
/* Whether the unit waits for its next start, or has given up. */
bool unit_has_failed(const struct unit *unit);
bool unit_gave_up(const struct unit *unit);
/* Whether the unit runs the VM in this directory. */
bool unit_is_of(const struct unit *unit, const char *directory);
/*
 * Why the VM does not run: the last line of the unit that failed, in one line; NULL: no unit of the
 * VM has failed. `since` is a time for journalctl; NULL: any time.
 */
const char *unit_failure(const struct host *host, const char *name, const char *since);
/* Whether a line of a unit or a check is not about what failed. */
bool unit_line_is_remark(const char *line);
/*
 * Restarts the unit and watches it until the hypervisor has run for some seconds, or the guest is
 * ready, if it reports that. NULL if it runs, else why not.
 */
const char *unit_restart_watched(const struct host *host, const char *name);

/* Whether each of the VMs runs, in the order of the names. Without systemd none does. */
bool *units_running(const struct host *host, const struct strings *names);
bool unit_runs(const struct host *host, const char *name);
bool unit_stop(const struct host *host, const char *name);
/* Disables the start at boot. Without systemd there is nothing to do. */
bool unit_disable(const struct host *host, const char *name);

/*
 * Removes what the host's administrator has set for the units of this VM alone (drop-ins, limits),
 * and prints it, and has systemd forget their failures.
 */
bool units_forget(const struct host *host, const char *name);

#endif
