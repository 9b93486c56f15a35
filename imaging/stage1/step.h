/* SPDX-License-Identifier: MIT */
/* step: one step of the plan, done. */
#ifndef MVM_STEP_H
#define MVM_STEP_H

#include "parameters.h"
#include "plan.h"

/* `initramfs` is its directory, open. A failure is told in full, and ends the VM. */
void step_do(const struct parameters *parameters, const struct plan_step *step, int initramfs);

#endif
