/* SPDX-License-Identifier: MIT */
/* file: operations on files that the first stage needs. */
#ifndef MVM_IMAGING_GUEST_INIT_FILE_H
#define MVM_IMAGING_GUEST_INIT_FILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Returns the whole file, relative to the directory `at`, followed by two '\0', for the caller to
 * free; NULL with errno set.
 */
char *file_text_at(int at, const char *path);
char *file_text(const char *path);
/*
 * Reads the first line of a short file (an attribute in /sys), without trailing blanks; false if it
 * cannot be read.
 */
bool file_line(const char *path, char *line, size_t size);

/*
 * Creates a directory with this mode and owner, or sets them on an existing one. A new directory
 * appears complete. False with errno set.
 */
bool directory_put(const char *path, unsigned mode, unsigned owner, unsigned group);

/*
 * Copies `from`, relative to the directory `at`, to `to`, which appears complete or not at all.
 * False with errno set.
 */
bool file_put(int at, const char *from, const char *to, unsigned mode);

/*
 * Deletes the contents of the directory and closes it. Other file systems mounted in it are left
 * alone.
 */
void tree_delete(int directory);

/* Ends the program if memory is exhausted. */
char *text_join(const char *first, const char *second);

#endif
