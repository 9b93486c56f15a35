/* SPDX-License-Identifier: MIT */
/* defaults: what a bound description leaves open and other options decide. */
#ifndef MVM_COMPILER_DESCRIBE_DEFAULTS_H
#define MVM_COMPILER_DESCRIBE_DEFAULTS_H

#include "backends/interface/vm.h"

/*
 * Completes a description that vm_bind has filled, of which a part may have been refused: computes
 * defaults, translates microvm.nix's flags for the store disk, and makes paths absolute. Afterwards
 * the description does not change any more.
 */
void vm_complete(struct arena *arena, struct diag *diag, struct vm *vm);

#endif
