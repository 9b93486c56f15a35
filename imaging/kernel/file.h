/* SPDX-License-Identifier: MIT */
/* file: a file that may be a kernel, shared by kernel.c and the readers of its parts. */
#ifndef MVM_IMAGING_KERNEL_FILE_H
#define MVM_IMAGING_KERNEL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "imaging/kernel/kernel.h"

struct archive;

enum {
	KERNEL_HEAD_BYTES = 4096,   /* enough for every header except a bzImage's version string */
	KERNEL_VERSION_LIMIT = 128, /* the kernel's own limit, __NEW_UTS_LEN, is 64 */
};

struct kernel_file {
	struct arena *arena;
	const char *path;
	int fd;
	uint64_t size;
	size_t head_size; /* bytes of `head` that the file has */
	unsigned char head[KERNEL_HEAD_BYTES];
};

/*
 * Returns the first word of a version string: "6.1.0" for "6.1.0 (debian…) #1 SMP". NULL if it is
 * not a version.
 */
const char *kernel_version_word(struct arena *arena, const char *text, size_t length);
/*
 * Opens the file, decompressing it if necessary; the caller frees the archive. NULL with `why` if
 * it cannot be read.
 */
struct archive *kernel_file_open_plain(const struct kernel_file *file, const char **why);
/* Returns the reason for a file that cannot be decompressed or read. */
const char *kernel_file_damaged(const struct kernel_file *file, struct archive *archive);
/*
 * Searches the whole file, decompressed, for the banner. A compressed file is read to its end, so
 * that truncation is detected. *version is NULL if there is no banner. Returns the file's defect,
 * or NULL.
 */
const char *kernel_file_version(const struct kernel_file *file, const char **version);
/* Returns the defect of an ELF file, or NULL. */
const char *kernel_elf_inspect(const struct kernel_file *file, struct kernel *out);

#endif
