/* SPDX-License-Identifier: MIT */
/*
 * files: writing so that a file is there as a whole or not at all, also after the power was cut.
 * Failures are told.
 */
#ifndef MVM_IMAGING_GUEST_NIX_DB_FILES_H
#define MVM_IMAGING_GUEST_NIX_DB_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/*
 * The beginning of a small file as a text in the arena; NULL, with nothing told, when it cannot be
 * read.
 */
const char *text_of(struct arena *arena, const char *path);
/* Makes or replaces `path`. Durable when it returns. */
bool publish_text(struct arena *arena, const char *path, const char *text);
bool publish_copy(struct arena *arena, const char *source, const char *path);
/* The same with a finished file beside it, which becomes it. */
bool publish_file(struct arena *arena, const char *finished, const char *path);
/* What was renamed, made or unlinked in the directory is so for good when it returns. */
bool sync_directory(const char *path);
/* `mkdir -p` */
bool make_directories(struct arena *arena, const char *path);
/* Removes a file that may be missing. */
bool remove_file(const char *path);

#endif
