/* SPDX-License-Identifier: MIT */
/* option_help: prints the reference of one option, for `mvmbuild options NAME`. */
#ifndef MVM_COMPILER_COMMAND_OPTION_HELP_H
#define MVM_COMPILER_COMMAND_OPTION_HELP_H

#include <stdbool.h>
#include <stdio.h>

#include "backends/interface/option.h"
#include "base/arena.h"
#include "base/diag.h"

/* `name` is a path, such as "volumes.size"; an unknown one is an error (STATUS_USAGE). */
bool option_help(struct arena *arena, struct diag *diag, const struct option *table,
	const char *name, FILE *out);

#endif
