/* SPDX-License-Identifier: MIT */
/*
 * ext: makes a new, empty, reproducible ext2, ext3 or ext4 file system in a sparse file, without
 * other programs.
 */
#ifndef MVM_IMAGING_VOLUME_EXT_H
#define MVM_IMAGING_VOLUME_EXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

/*
 * Limits of ext_create. Below the minimum there is no room for a journal; above the maximum, 2^32
 * blocks, there is no resize inode. (On a host whose own file system is ext4, the largest file is
 * one block shorter than the maximum.)
 */
enum { EXT_MINIMUM_MIB = 8, EXT_MAXIMUM_MIB = 16 * 1024 * 1024 };
enum { EXT_LABEL_BYTES = 16 };

enum ext_type { EXT2, EXT3, EXT4 };

struct ext_request {
	const char *path;    /* the file to create; must not exist */
	uint64_t size_bytes; /* a multiple of 1 MiB */
	const char *label;   /* at most 16 bytes; NULL: none */
	/* UUID and hash seed are derived from it (identity_of), so each volume needs its own */
	const char *seed;
	uint32_t time; /* of every timestamp, in seconds since 1970; 0 counts as 1 */
	enum ext_type type;
};

/*
 * The result is that of Debian 12's mke2fs with default options, except that blocks always have 4
 * KiB (a volume may grow, its block size cannot) and that nothing is left for the guest to
 * initialize. Depends only on the request, not on the environment. On failure there is no file.
 */
bool ext_create(struct diag *diag, const struct ext_request *request);

#endif
