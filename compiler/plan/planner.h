/* SPDX-License-Identifier: MIT */
/* planner: shared by the files that make a plan. */
#ifndef MVM_COMPILER_PLAN_PLANNER_H
#define MVM_COMPILER_PLAN_PLANNER_H

#include "compiler/plan/plan.h"

struct planner {
	struct arena *arena;
	struct diag *diag;
	struct plan *plan;
};

/*
 * modules.c: the kernel modules that stage 1 loads. Returns false after an error if a module or a
 * program of stage 1 is missing.
 */
bool plan_modules(struct planner *planner);

/* steps.c: the steps of our stage 1. The mounts must be planned. */
void plan_steps(struct planner *planner);

/* parameters.c: the kernel's parameters, without those of the hypervisor. */
void plan_parameters(struct planner *planner);
/* Checks all parameters, and that the guest's Nix knows its store. The closure must be loaded. */
bool plan_check_parameters(struct planner *planner);
/*
 * Checks that the command line has room for them and for the hypervisor's own. Called after
 * lowering.
 */
bool plan_check_parameters_length(struct planner *planner);

#endif
