/* SPDX-License-Identifier: MIT */
/*
 * plain_file: operations on files that need nothing but libc, for the carried programs and for
 * base/file. Those that return bool return false with errno set.
 */
#ifndef MVM_BASE_PLAIN_FILE_H
#define MVM_BASE_PLAIN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Closes `*fd` at the end of its scope; set it to -1 to keep the descriptor. errno stays. */
void fd_close(int *fd);
#define FD_CLEANUP __attribute__((cleanup(fd_close)))

/* Writes all bytes at `offset`. */
bool fd_write_all(int fd, const void *bytes, size_t count, off_t offset);
/* Reads exactly `count` bytes at `offset`; errno is EIO at an early end of file. */
bool fd_read_all(int fd, void *bytes, size_t count, off_t offset);
/*
 * Reads up to `count` bytes at `offset`, fewer only at the end of the file. Returns their number;
 * -1 with errno set.
 */
ssize_t fd_read_most(int fd, void *bytes, size_t count, off_t offset);
/*
 * Reads the beginning of a file, at most `size` - 1 bytes, and appends '\0'. Returns the length; -1
 * with errno set.
 */
ssize_t file_start(const char *path, char *text, size_t size);

/* Returns the length of `path` without its last component: 1 for "/name", 0 for "name". */
size_t path_parent_length(const char *path);
/*
 * As `mkdir -p`; existing directories keep their modes. `failed`, unless NULL, receives the length
 * of the part of `path` that could not be made.
 */
bool directories_make(const char *path, mode_t mode, size_t *failed);
/* As directories_make, for all directories above `path`. */
bool parents_make(const char *path, mode_t mode);
/* Makes the names in a directory durable, if its file system supports that. */
bool directory_sync(const char *path);

#endif
