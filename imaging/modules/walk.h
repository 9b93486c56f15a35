/* SPDX-License-Identifier: MIT */
/* walk: the module files below a directory. */
#ifndef MVM_IMAGING_MODULES_WALK_H
#define MVM_IMAGING_MODULES_WALK_H

#include "imaging/modules/tree.h"

/*
 * The modules below `root`, sorted by name; of files with the same name the one that depmod
 * prefers. What cannot be read has none: if they are missed, that is told. All is in `arena`.
 */
struct module *module_walk(struct arena *arena, const char *root, size_t *n);

/* Length of a module's file name up to ".ko", 0 when it is no module. */
size_t module_name_length(const char *file);

#endif
