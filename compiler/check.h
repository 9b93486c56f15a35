/* SPDX-License-Identifier: MIT */
/* check: what is wrong with a description as a whole. All checks run, whatever the others find. */
#ifndef MVM_CHECK_H
#define MVM_CHECK_H

#include <stdbool.h>

#include "backends/backend.h"
#include "compiler/vm.h"

/* Checks everything that can be told from the description alone; it needs no file of this machine. */
bool vm_check(struct arena *arena, struct diag *diag, const struct vm *vm);

#endif
