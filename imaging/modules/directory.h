/* SPDX-License-Identifier: MIT */
/* directory: finds a kernel's modules: /lib/modules/VERSION, or a folder that contains it. */
#ifndef MVM_IMAGING_MODULES_DIRECTORY_H
#define MVM_IMAGING_MODULES_DIRECTORY_H

#include "base/arena.h"
#include "base/diag.h"

/*
 * `directory` and `version` are those of modules_resolve. NULL with an error (STATUS_INPUT, at
 * `where`).
 */
const char *module_directory_find(struct arena *arena, struct diag *diag, const char *directory,
	const char *version, const struct pos *where);

#endif
