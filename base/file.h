/* SPDX-License-Identifier: MIT */
/* file: reads and writes files; handles paths and trees. */
#ifndef MVM_BASE_FILE_H
#define MVM_BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/diag.h"
#include "base/plain_file.h"

struct arena;
struct buf;

struct bytes {
	const char *p; /* terminated by a 0 byte that `n` does not count */
	size_t n;
};

/*
 * Reads a whole file of at most `limit` bytes; false with an error (STATUS_INPUT) otherwise. "-" is
 * standard input.
 */
bool file_read(
	struct arena *arena, struct diag *diag, const char *path, size_t limit, struct bytes *out);
/* As file_read; errors are reported at `named`, the place that names the file, or NULL. */
bool file_read_at(struct arena *arena, struct diag *diag, const struct pos *named, const char *path,
	size_t limit, struct bytes *out);
/* Creates `path` (it must not exist) with exactly these bytes and mode, whatever the umask. */
bool file_write(struct diag *diag, const char *path, const void *bytes, size_t count, mode_t mode);
/*
 * As file_write, but replaces an existing file atomically: readers see the old bytes or the new
 * ones, also after a crash.
 */
bool file_rewrite(struct arena *arena, struct diag *diag, const char *path, const void *bytes,
	size_t count, mode_t mode);
/*
 * Shares the blocks of a range, all of it multiples of 4 KiB; false where the file system cannot.
 */
bool fd_clone_range(int from, off_t from_offset, int to, off_t to_offset, uint64_t count);
/*
 * Copies a range by the cheapest way that works (reflink, copy_file_range, read and write); false
 * with errno set.
 */
bool fd_copy_range(int from, off_t from_offset, int to, off_t to_offset, uint64_t count);
/* Copies a regular file to `target`, which must not exist. */
bool file_copy(struct diag *diag, const char *source, const char *target, mode_t mode);

/*
 * These return false if the path is absent, inaccessible or of another kind. A failure of the
 * machine ends the program (ending_unless_absent).
 */
bool path_exists(const char *path);
bool path_is_regular_file(const char *path);
bool path_is_directory(const char *path);
/* Whether `path` is a directory, not a link to one, that is readable and empty. */
bool directory_is_empty(const char *path);
/*
 * Refuses to overwrite a file that the program did not write: one that is not empty and for whose
 * first line `is_ours` is false. `option` names the file in the message.
 */
bool file_spare(struct diag *diag, const char *option, const char *path,
	bool (*is_ours)(const char *first_line));
const char *path_join(struct arena *arena, const char *directory, const char *name);
/* Returns the part after the last slash. */
const char *path_base(const char *path);
/* Returns `path` without its last component ("." if it has only one). */
const char *path_parent(struct arena *arena, const char *path);
/* Returns an absolute path without trailing slashes. */
const char *path_absolute(struct arena *arena, const char *path);
/*
 * Returns the next entry; NULL at the end. A read error ends the program, because a partial list
 * must not be taken for all of the directory.
 */
struct dirent *directory_next(DIR *stream, const char *path);
/* realpath(3); NULL if the path does not exist. */
const char *path_real(struct arena *arena, const char *path);
/* As directories_make, but records an error. */
bool directory_make(struct diag *diag, const char *path, mode_t mode);
/*
 * Removes a file or a whole tree, without following links and within one mount; a missing one is
 * fine. False with errno set: EBUSY if something is mounted at `path` or below. A mount is left
 * alone, with the directories that lead to it.
 */
bool tree_remove(const char *path);
/* As tree_remove, for a name in an open directory. */
bool tree_remove_at(int parent, const char *name);
/*
 * As tree_remove, but records an error. If something is mounted there, the error says where, and
 * nothing is removed.
 */
bool path_remove(struct diag *diag, const char *path);
/*
 * Opens (O_PATH) a directory below another one; -1 with errno set if a link is on the way, or
 * something is mounted there.
 */
int tree_open_below(int directory, const char *path);
/*
 * Whether something is mounted at `path` or below, with the place in `found`, which the caller
 * frees (buf_free) in any case.
 */
bool tree_find_mount(const char *path, struct buf *found);

#endif
