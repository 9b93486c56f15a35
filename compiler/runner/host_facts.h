/* SPDX-License-Identifier: MIT */
/*
 * host_facts: writes the files of a runner that the host's units and commands read, in
 * microvm.nix's format.
 */
#ifndef MVM_COMPILER_RUNNER_HOST_FACTS_H
#define MVM_COMPILER_RUNNER_HOST_FACTS_H

#include <stdbool.h>

#include "compiler/plan/plan.h"

/* Writes the files into RUNNER/share/microvm, which must exist. */
bool facts_write(
	struct arena *arena, struct diag *diag, const struct plan *plan, const char *runner);

#endif
