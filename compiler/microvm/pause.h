/* SPDX-License-Identifier: MIT */
/* pause: whether the hypervisor reports that a running VM is paused. */
#ifndef MVM_COMPILER_MICROVM_PAUSE_H
#define MVM_COMPILER_MICROVM_PAUSE_H

#include "compiler/microvm/machine.h"

/*
 * "paused: io-error, no room on the host for data.img"; NULL: the VM is not paused, or the
 * hypervisor cannot be asked.
 */
const char *machine_pause(const struct host *host, const struct machine *machine);

#endif
