/* SPDX-License-Identifier: MIT */
/* links: symbolic links that change in one step. */
#ifndef MVM_COMPILER_MICROVM_LINKS_H
#define MVM_COMPILER_MICROVM_LINKS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"

/* What a link names; NULL when it is none. */
const char *link_read(struct arena *arena, const char *path);
/*
 * Makes `path` a link to `target`: a link that is there is replaced in one step, durably; anything
 * else there is an error.
 */
bool link_set(struct arena *arena, struct diag *diag, const char *path, const char *target);
/* Removes what a killed link_set left beside `path`. */
void link_tidy(struct arena *arena, const char *path);
/* Exchanges two links in one step, durably. */
bool links_swap(struct arena *arena, struct diag *diag, const char *a, const char *b);
/* What was made, renamed or removed in it stays so, whatever happens to the machine. */
void directory_sync(const char *path);

#endif
