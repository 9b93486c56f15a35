/* SPDX-License-Identifier: MIT */
/* kernel_support: checks that the guest's kernel can mount the planned file systems. */
#ifndef MVM_COMPILER_PLAN_KERNEL_SUPPORT_H
#define MVM_COMPILER_PLAN_KERNEL_SUPPORT_H

#include "compiler/plan/plan.h"

/*
 * Checks the kernel's configuration; true if that cannot be read. Modules are checked when they are
 * resolved.
 */
bool kernel_support_check(struct arena *arena, struct diag *diag, const struct plan *plan);

#endif
