/* SPDX-License-Identifier: MIT */
/* sqlite_file: what a reader who takes no locks must know of a database's file. */
#ifndef MVM_BASE_SQLITE_FILE_H
#define MVM_BASE_SQLITE_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

struct arena;

/* Whether there are transactions that are not in the file itself, or not wholly. */
bool sqlite_has_log(struct arena *arena, const char *file);
/*
 * Whether it is the same file as `before`, and nobody wrote to it; times of files advance in steps
 * of some ms.
 */
bool sqlite_is_unchanged(const char *file, const struct stat *before);

#endif
