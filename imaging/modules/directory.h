/* SPDX-License-Identifier: MIT */
/* directory: where a kernel's modules are: /lib/modules/VERSION, or a folder that holds it. */
#ifndef MVM_IMAGING_MODULES_DIRECTORY_H
#define MVM_IMAGING_MODULES_DIRECTORY_H

#include "base/arena.h"
#include "base/diag.h"

/*
 * `directory` and `version` as modules_resolve takes them. NULL with an error (STATUS_INPUT, at
 * `where`).
 */
const char *module_directory_find(struct arena *arena, struct diag *diag, const char *directory,
	const char *version, const struct pos *where);

#endif
