/* SPDX-License-Identifier: MIT */
/* super: the super block of a store disk. */
#ifndef MVM_IMAGING_EROFS_SUPER_H
#define MVM_IMAGING_EROFS_SUPER_H

#include "imaging/erofs/read.h"

#define EROFS_STORE_LABEL "nix-store" /* by which guests of microvm.nix find it */

struct erofs_super_request {
	const struct erofs_setup *setup;
	uint32_t features; /* incompatible ones that files need, beside the setup's */
	uint64_t root_nid, inodes, blocks;
	uint32_t time;
	unsigned char uuid[16];
};

/*
 * Writes it into `block`, the image's first one, which has zeros in its place. The check sum is of
 * the whole block as it is now.
 */
void erofs_super_write(const struct erofs_super_request *request, unsigned char *block);
/* Corrects the check sum of a block that was changed. */
void erofs_super_sum(unsigned char *block);
/*
 * A count of inodes that no other file system's magic number is taken from: blkid reads MINIX
 * there.
 */
uint64_t erofs_inode_count(uint64_t inodes);

#endif
