/* SPDX-License-Identifier: MIT */
/* units: controls the VMs' services with systemctl. */
#ifndef MVM_COMPILER_MICROVM_UNITS_H
#define MVM_COMPILER_MICROVM_UNITS_H

#include "compiler/microvm/host.h"

/* "microvm@NAME.service" */
const char *unit_name(struct arena *arena, const char *name);
/* What systemd knows about a unit. Texts are "" where it knows nothing. */
struct unit {
	bool is_loaded;
	const char *user, *group, *groups; /* as the unit file has them; `groups` by spaces */
	const char *directory;             /* in which it runs */
};
/* Asks systemd for the unit of a VM. Without systemd nothing is known. */
struct unit unit_find(const struct host *host, const char *name);

/* Whether each of the VMs runs, in the order of the names. Without systemd none does. */
bool *units_running(const struct host *host, const struct strings *names);
bool unit_runs(const struct host *host, const char *name);
bool unit_restart(const struct host *host, const char *name);
bool unit_stop(const struct host *host, const char *name);
/* Disables the start at boot. Without systemd there is nothing to do. */
bool unit_disable(const struct host *host, const char *name);

#endif
