/* SPDX-License-Identifier: MIT */
/* file: a file that may be a kernel, for kernel.c and those who know its parts. */
#ifndef MVM_IMAGING_KERNEL_FILE_H
#define MVM_IMAGING_KERNEL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "imaging/kernel/kernel.h"

struct archive;

enum {
	KERNEL_HEAD_BYTES = 4096,   /* enough for every header but a bzImage's version string */
	KERNEL_VERSION_LIMIT = 128, /* of the kernel itself: __NEW_UTS_LEN is 64 */
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
 * The word that a version string starts with: "6.1.0 (debian…) #1 SMP" is "6.1.0". NULL when that
 * is no version.
 */
const char *kernel_version_word(struct arena *arena, const char *text, size_t length);
/*
 * The file, unpacked where it is compressed; the caller frees it. NULL with `why` when it cannot be
 * read.
 */
struct archive *kernel_file_open_plain(const struct kernel_file *file, const char **why);
/* For a file that cannot be unpacked, or read. */
const char *kernel_file_damaged(const struct kernel_file *file, struct archive *archive);
/*
 * Looks for the banner in the whole file, unpacked where it is compressed: then all of it is read,
 * so that a file that was cut off is noticed. *version is NULL when there is none. What is wrong
 * with the file, or NULL.
 */
const char *kernel_file_version(const struct kernel_file *file, const char **version);
/* What is wrong with an ELF file, or NULL. */
const char *kernel_elf_inspect(const struct kernel_file *file, struct kernel *out);

#endif
