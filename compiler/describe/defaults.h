/* SPDX-License-Identifier: MIT */
/* defaults: completes a bound description with defaults that depend on other options. */
#ifndef MVM_COMPILER_DESCRIBE_DEFAULTS_H
#define MVM_COMPILER_DESCRIBE_DEFAULTS_H

#include "backends/interface/vm.h"

/*
 * Completes a description that vm_bind has filled and partly refused, if it has errors: computes
 * defaults, translates microvm.nix's flags for the store disk, and makes paths absolute. The
 * description does not change afterwards.
 */
void vm_complete(struct arena *arena, struct diag *diag, struct vm *vm);

#endif
