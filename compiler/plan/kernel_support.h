/* SPDX-License-Identifier: MIT */
/* kernel_support: whether the guest's kernel can mount what the plan has it mount. */
#ifndef MVM_COMPILER_PLAN_KERNEL_SUPPORT_H
#define MVM_COMPILER_PLAN_KERNEL_SUPPORT_H

#include "compiler/plan/plan.h"

/*
 * By the kernel's configuration, where that can be read; true where not. Modules are looked for
 * when they are chosen.
 */
bool kernel_support_check(struct arena *arena, struct diag *diag, const struct plan *plan);

#endif
