/* SPDX-License-Identifier: MIT */
/* depfile: what a runner was made from, as a rule for make or ninja. */
#ifndef MVM_COMPILER_SESSION_DEPFILE_H
#define MVM_COMPILER_SESSION_DEPFILE_H

#include "compiler/plan/plan.h"

/* Writes the rule "OUTPUT: INPUT..." into `path`, in one step. `descriptions` are the files as they
 * were named; "-" is left out. What lies in the store never changes: of it only what was named
 * stands there. */
bool depfile_write(struct arena *arena, struct diag *diag, const char *path, const char *output,
	const struct strings *descriptions, const struct plan *plan);

#endif
