/* SPDX-License-Identifier: MIT */
/* init: the files to start from, carried in the program as starter/TEMPLATE/FILE. */
#ifndef MVM_COMPILER_COMMAND_INIT_H
#define MVM_COMPILER_COMMAND_INIT_H

#include "base/arena.h"
#include "base/diag.h"

/* Writes the template's files into `directory`, which is made when it is not there; their @name@
 * becomes its name. All of them or none: a file that is there already is an error, and stays.
 * `written` gets their paths. */
bool init_write(struct arena *arena, struct diag *diag, const char *template, const char *directory,
	struct strings *written);

#endif
