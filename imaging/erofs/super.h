/* SPDX-License-Identifier: MIT */
/* super: writes the super block of a store disk. */
#ifndef MVM_IMAGING_EROFS_SUPER_H
#define MVM_IMAGING_EROFS_SUPER_H

#include "imaging/erofs/read.h"

#define EROFS_STORE_LABEL "nix-store" /* guests of microvm.nix find the disk by this label */

struct erofs_super_request {
	const struct erofs_setup *setup;
	uint32_t features; /* incompatible features that files need, in addition to the setup's */
	uint64_t root_nid, inodes, blocks;
	uint32_t time;
	unsigned char uuid[16];
};

/*
 * Writes it into `block`, the image's first one, and computes the checksum over the whole block,
 * which must be complete otherwise.
 */
void erofs_super_write(const struct erofs_super_request *request, unsigned char *block);
/* Updates the checksum of a block that was changed. */
void erofs_super_sum(unsigned char *block);
/*
 * Returns the smallest count from `inodes` on that is not mistaken for another file system: blkid
 * reads MINIX's magic number there.
 */
uint64_t erofs_inode_count(uint64_t inodes);

#endif
