/* SPDX-License-Identifier: MIT */
/* units: the VMs' services, by systemctl. */
#ifndef MVM_COMPILER_MICROVM_UNITS_H
#define MVM_COMPILER_MICROVM_UNITS_H

#include "compiler/microvm/host.h"

/* "microvm@NAME.service" */
const char *unit_name(struct arena *arena, const char *name);
/* Which of the VMs run, in the order of their names; without systemd none does. */
bool *units_running(const struct host *host, const struct strings *names);
bool unit_runs(const struct host *host, const char *name);
bool unit_restart(const struct host *host, const char *name);
bool unit_stop(const struct host *host, const char *name);
/* Takes it out of what starts at boot; without systemd there is nothing to do. */
bool unit_disable(const struct host *host, const char *name);

#endif
