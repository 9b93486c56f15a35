/* SPDX-License-Identifier: MIT */
/* runners: the runners of descriptions, runners/FINGERPRINT in the VM's directory. */
#ifndef MVM_COMPILER_MICROVM_RUNNERS_H
#define MVM_COMPILER_MICROVM_RUNNERS_H

#include "compiler/microvm/machine.h"

/* Removes the runners that none of the VM's links names, and their roots. */
bool runners_prune(const struct host *host, const struct machine *machine);
/*
 * Reports an error if a runner has a file that no build made, such as a volume of a VM that was
 * started there. To be called before all runners are removed.
 */
bool runners_are_ours(const struct host *host, const struct machine *machine);
/*
 * Removes the shared store disks, kernels and other files that no runner uses any more.
 * install-host keeps them in .store-disks in the state directory.
 */
void disks_prune(const struct host *host);

#endif
