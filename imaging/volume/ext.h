/* SPDX-License-Identifier: MIT */
/*
 * ext: a new, empty, reproducible ext2, ext3 or ext4 file system in a sparse file, made in process.
 */
#ifndef MVM_IMAGING_VOLUME_EXT_H
#define MVM_IMAGING_VOLUME_EXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

/*
 * The sizes that ext_create takes. Below the minimum there is no room for a journal; above the
 * maximum, 2^32 blocks, there is no resize inode. (A host whose own file system is ext4 holds files
 * of one block less than the maximum.)
 */
enum { EXT_MINIMUM_MIB = 8, EXT_MAXIMUM_MIB = 16 * 1024 * 1024 };
enum { EXT_LABEL_BYTES = 16 };

enum ext_type { EXT2, EXT3, EXT4 };

struct ext_request {
	const char *path;    /* the file to create; must not exist */
	uint64_t size_bytes; /* a multiple of 1 MiB */
	const char *label;   /* at most 16 bytes; NULL: none */
	/* UUID and hash seed derive from it, by identity_of: two volumes want two seeds */
	const char *seed;
	uint32_t time; /* seconds since 1970 of every time stamp; 0 counts as 1 */
	enum ext_type type;
};

/*
 * Makes what Debian 12's mke2fs makes by default, except that blocks have 4 KiB at any size (a
 * volume may grow, its blocks cannot) and that nothing is left for the guest to initialise. Depends
 * on the request alone, not on the environment. On failure there is no file.
 */
bool ext_create(struct diag *diag, const struct ext_request *request);

#endif
