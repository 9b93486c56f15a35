/* SPDX-License-Identifier: MIT */
/* planner: what the files that make a plan share. */
#ifndef MVM_COMPILER_PLAN_PLANNER_H
#define MVM_COMPILER_PLAN_PLANNER_H

#include "compiler/plan/plan.h"

struct planner {
	struct arena *arena;
	struct diag *diag;
	struct plan *plan;
};

/* Whether a path is that of a store path, or below one. */
bool is_in_store(const struct vm *vm, const char *path);

/*
 * modules.c: the kernel modules that stage 1 loads. False, with an error, when one is missing, or a
 * program that stage 1 runs.
 */
bool plan_modules(struct planner *planner);

/* steps.c: what our stage 1 does, after the mounts were planned. */
void plan_steps(struct planner *planner);

/* parameters.c: the kernel's parameters, those of the hypervisor not included. */
void plan_parameters(struct planner *planner);
/* Checks all of them, and that the guest's Nix knows its store. The closure must be known. */
bool plan_check_parameters(struct planner *planner);
/* Checks that a command line has room for them, with those of the hypervisor: after lowering. */
bool plan_check_parameters_length(struct planner *planner);

#endif
