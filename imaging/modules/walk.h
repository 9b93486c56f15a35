/* SPDX-License-Identifier: MIT */
/* walk: finds the module files below a directory. */
#ifndef MVM_IMAGING_MODULES_WALK_H
#define MVM_IMAGING_MODULES_WALK_H

#include "imaging/modules/tree.h"

/*
 * Returns the modules below `root`, sorted by name; of files with the same name, the one that
 * depmod prefers. Unreadable directories are skipped, as a missing module is reported later.
 * Everything is allocated in `arena`.
 */
struct module *module_walk(struct arena *arena, const char *root, size_t *n);

/* Returns the length of a module's file name before ".ko"; 0 if it is not a module. */
size_t module_name_length(const char *file);

#endif
