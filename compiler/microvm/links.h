/* SPDX-License-Identifier: MIT */
/* links: symbolic links that are changed atomically. */
#ifndef MVM_COMPILER_MICROVM_LINKS_H
#define MVM_COMPILER_MICROVM_LINKS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"

/* The target of a symbolic link; NULL if `path` is not one. */
const char *link_read(struct arena *arena, const char *path);
/*
 * Makes `path` a link to `target`, atomically and durably. An existing link is replaced; any other
 * existing file is an error.
 */
bool link_set(struct arena *arena, struct diag *diag, const char *path, const char *target);
/* Removes the temporary link that a killed link_set left beside `path`. */
void link_tidy(struct arena *arena, const char *path);
/* Exchanges two links, atomically and durably. */
bool links_swap(struct arena *arena, struct diag *diag, const char *a, const char *b);

#endif
