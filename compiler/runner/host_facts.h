/* SPDX-License-Identifier: MIT */
/*
 * host_facts: the files of a runner by which the host's units and commands know it, in the
 * reference's format.
 */
#ifndef MVM_COMPILER_RUNNER_HOST_FACTS_H
#define MVM_COMPILER_RUNNER_HOST_FACTS_H

#include <stdbool.h>

#include "compiler/plan/plan.h"

/* Writes them into RUNNER/share/microvm, an existing directory. */
bool facts_write(
	struct arena *arena, struct diag *diag, const struct plan *plan, const char *runner);

#endif
