/* SPDX-License-Identifier: MIT */
/* pause: whether a VM that runs is paused, as its hypervisor tells it. */
#ifndef MVM_COMPILER_MICROVM_PAUSE_H
#define MVM_COMPILER_MICROVM_PAUSE_H

#include "compiler/microvm/machine.h"

/*
 * "paused: io-error, no room on the host for data.img"; NULL: it is not, or its hypervisor does not
 * tell (us).
 */
const char *machine_pause(const struct host *host, const struct machine *machine);

#endif
