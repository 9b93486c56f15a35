/* SPDX-License-Identifier: MIT */
/*
 * unpack: reads a file that may be compressed with gzip, xz or zstd, which its content determines.
 */
#ifndef MVM_IMAGING_KERNEL_UNPACK_H
#define MVM_IMAGING_KERNEL_UNPACK_H

#include <stdint.h>

struct archive;
struct arena;

/*
 * Returns a descriptor of the uncompressed content, at offset 0, and its size; -1 with `why` on
 * failure.
 */
int unpack_open(struct arena *arena, const char *path, uint64_t *size, const char **why);

/*
 * Returns libarchive's text for its last error, or a default if it has none. It lives as long as
 * the archive.
 */
const char *unpack_reason(struct archive *archive);

#endif
