/* SPDX-License-Identifier: MIT */
/* runners: the runners that descriptions became, in their VM's directory: runners/FINGERPRINT. */
#ifndef MVM_COMPILER_MICROVM_RUNNERS_H
#define MVM_COMPILER_MICROVM_RUNNERS_H

#include "compiler/microvm/machine.h"

/* Removes those that none of the VM's links names, with their roots. */
bool runners_prune(const struct host *host, const struct machine *machine);
/*
 * False after an error when a file that no build made is in a runner, the volume of a VM that was
 * started there: who removes them all asks first.
 */
bool runners_are_ours(const struct host *host, const struct machine *machine);
/*
 * Removes store disks that no runner has any more from those that install-host keeps for several
 * VMs, .store-disks in the state directory.
 */
void disks_prune(const struct host *host);

#endif
