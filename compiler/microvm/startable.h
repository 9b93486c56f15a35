/* SPDX-License-Identifier: MIT */
/* startable: asks a runner's microvm-check whether it could start in a VM's directory. */
#ifndef MVM_COMPILER_MICROVM_STARTABLE_H
#define MVM_COMPILER_MICROVM_STARTABLE_H

#include "compiler/microvm/machine.h"

/*
 * Why the runner (the target of a link of the VM) could not start now, or could not take over from
 * the running VM; NULL: it could, or it has no check. The check runs as the unit's user.
 */
const char *start_obstacle(
	const struct host *host, const struct machine *machine, const char *runner);

#endif
