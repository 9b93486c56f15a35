/* SPDX-License-Identifier: MIT */
/* summary: a plan as text for people; report has everything, as JSON. */
#ifndef MVM_COMPILER_PLAN_SUMMARY_H
#define MVM_COMPILER_PLAN_SUMMARY_H

#include "compiler/plan/plan.h"

/*
 * What the VM is, its disks and mounts, and the hypervisor's command with KVM, quoted for a shell.
 * `runner` is the path where the runner will be.
 */
const char *plan_summary(struct arena *arena, const struct plan *plan, const char *runner);

#endif
