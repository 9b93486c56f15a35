/* SPDX-License-Identifier: MIT */
/*
 * files: writes files that exist completely or not at all, even after a power failure. Failures are
 * reported.
 */
#ifndef MVM_IMAGING_GUEST_NIX_DB_FILES_H
#define MVM_IMAGING_GUEST_NIX_DB_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/*
 * Returns the beginning of a small file, allocated in the arena; NULL if it cannot be read, which
 * is not reported.
 */
const char *read_text(struct arena *arena, const char *path);
/* Creates or replaces `path`. It is durable on return. */
bool publish_text(struct arena *arena, const char *path, const char *text);
bool publish_copy(struct arena *arena, const char *source, const char *path);
/* Renames `finished`, in the same directory, to `path`. It is durable on return. */
bool publish_file(struct arena *arena, const char *finished, const char *path);
/* Makes the creations, renames and removals in the directory durable. */
bool sync_directory(const char *path);
/* as `mkdir -p` */
bool make_directories(struct arena *arena, const char *path);
/* Removes a file if it exists. */
bool remove_file(const char *path);

#endif
