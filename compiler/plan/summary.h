/* SPDX-License-Identifier: MIT */
/* summary: prints a plan for people; report prints all of it as JSON. */
#ifndef MVM_COMPILER_PLAN_SUMMARY_H
#define MVM_COMPILER_PLAN_SUMMARY_H

#include "compiler/plan/plan.h"

/*
 * Describes the VM, its disks and mounts, and the hypervisor's command with KVM, quoted for a
 * shell. `runner` is the path where the runner will be.
 */
const char *plan_summary(struct arena *arena, const struct plan *plan, const char *runner);

#endif
