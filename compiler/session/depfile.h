/* SPDX-License-Identifier: MIT */
/* depfile: the inputs of a runner, as a rule for make or ninja. */
#ifndef MVM_COMPILER_SESSION_DEPFILE_H
#define MVM_COMPILER_SESSION_DEPFILE_H

#include "compiler/plan/plan.h"

/*
 * Writes the rule "OUTPUT: INPUT..." to `path` atomically. `descriptions` are the files of the
 * command line, without "-". Store paths never change, so only those that were named are listed.
 */
bool depfile_write(struct arena *arena, struct diag *diag, const char *path, const char *output,
	const struct strings *descriptions, const struct plan *plan);

#endif
