/* SPDX-License-Identifier: MIT */
/* file: the few things that the first stage does with files. */
#ifndef MVM_IMAGING_GUEST_INIT_FILE_H
#define MVM_IMAGING_GUEST_INIT_FILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The whole file relative to the directory `at`, ended by two '\0', for the caller to free; NULL
 * with errno set.
 */
char *file_text_at(int at, const char *path);
char *file_text(const char *path);
/*
 * The first line of a short file (an attribute in /sys), without blanks at its end; false when it
 * cannot be read.
 */
bool file_line(const char *path, char *line, size_t size);

/* `mkdir -p`; the second one makes only what leads to `path`. False with errno set. */
bool directories_make(const char *path);
bool directories_make_parent(const char *path);

/*
 * Makes a directory with this mode and owner, or gives them to the one that is there. A new one
 * appears complete. False with errno set.
 */
bool directory_put(const char *path, unsigned mode, unsigned owner, unsigned group);

/*
 * Copies `from`, relative to the directory `at`, to `to`, which appears complete or not at all.
 * False with errno set.
 */
bool file_put(int at, const char *from, const char *to, unsigned mode);

/*
 * Deletes what is in the directory, and closes it; other file systems mounted in it are left alone.
 */
void tree_delete(int directory);

/* Ends the program when there is no memory. */
char *text_join(const char *first, const char *second);

#endif
