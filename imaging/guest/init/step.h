/* SPDX-License-Identifier: MIT */
/* step: executes one step of the plan. */
#ifndef MVM_IMAGING_GUEST_INIT_STEP_H
#define MVM_IMAGING_GUEST_INIT_STEP_H

#include "imaging/guest/init/parameters.h"
#include "imaging/guest/init/plan.h"

/* `initramfs` is its directory, open. A failure is reported in full, and ends the VM. */
void step_do(const struct parameters *parameters, const struct stage1_step *step, int initramfs);

#endif
