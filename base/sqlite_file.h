/* SPDX-License-Identifier: MIT */
/* sqlite_file: lets a reader use a database's file without taking locks. */
#ifndef MVM_BASE_SQLITE_FILE_H
#define MVM_BASE_SQLITE_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

struct arena;

/* Whether there are transactions that are not, or not completely, in the file itself. */
bool sqlite_has_log(struct arena *arena, const char *file);
/*
 * Whether it is the file that `before` describes, and nobody has written to it. File timestamps
 * advance in steps of some milliseconds.
 */
bool sqlite_is_unchanged(const char *file, const struct stat *before);

#endif
