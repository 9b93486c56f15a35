/* SPDX-License-Identifier: MIT */
/*
 * unpack: the plain content of a file that may be compressed (gzip, xz, zstd; told by its content).
 */
#ifndef MVM_IMAGING_KERNEL_UNPACK_H
#define MVM_IMAGING_KERNEL_UNPACK_H

#include <stdint.h>

struct archive;
struct arena;

/*
 * A descriptor of the plain content, at offset 0, and its size; -1 with `why` when it cannot be
 * had.
 */
int unpack_open(struct arena *arena, const char *path, uint64_t *size, const char **why);

/*
 * What libarchive says of its last error, which is not always something. Its text lives as long as
 * the archive.
 */
const char *unpack_reason(struct archive *archive);

#endif
