/* SPDX-License-Identifier: MIT */
/* init: writes files to start from, which the program has as starter/TEMPLATE/FILE. */
#ifndef MVM_COMPILER_COMMAND_INIT_H
#define MVM_COMPILER_COMMAND_INIT_H

#include "base/arena.h"
#include "base/diag.h"

/*
 * Writes the template's files to `directory`, which is created if it does not exist. In the files,
 * the directory's name replaces @name@, and a kernel that was found on this machine replaces
 * @kernel@. Writes all files or none: an existing file is an error and is not changed. `written`
 * gets the paths.
 */
bool init_write(struct arena *arena, struct diag *diag, const char *template, const char *directory,
	struct strings *written);

#endif
