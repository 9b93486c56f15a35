/* SPDX-License-Identifier: MIT */
/*
 * verity_format: the hash tree of dm-verity as it lies behind a disk's data: on-disk format 1 of
 * veritysetup, which the wiki of cryptsetup describes (DMVerity). First a block with the
 * superblock, then the tree's levels, the root's first; a level holds the SHA-256 of each block of
 * the one below, 128 to a block, the rest of its last block zeros. The root hash, of the block at
 * the top, is all that has to be trusted.
 */
#ifndef MVM_IMAGING_GUEST_INIT_VERITY_FORMAT_H
#define MVM_IMAGING_GUEST_INIT_VERITY_FORMAT_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

enum {
	VERITY_BLOCK = 4096, /* of data and of the tree */
	VERITY_HASH_BYTES = 32,
	VERITY_FANOUT = VERITY_BLOCK / VERITY_HASH_BYTES,
	VERITY_LEVELS_MOST = 9, /* 2^63 blocks */
	VERITY_SALT_BYTES = 32,
};
#define VERITY_ALGORITHM "sha256"

/*
 * It stands before each block when that is hashed. Against somebody who waits for the image a salt
 * would have to be a secret until then, and images would differ from build to build. This one keeps
 * the hashes apart from those of the same blocks elsewhere, and hashes of equal blocks equal.
 */
#define VERITY_SALT "mvmbuild: a store disk's blocks "

struct verity_super {
	char signature[8]; /* "verity" */
	uint32_t version, hash_type;
	unsigned char uuid[16];
	char algorithm[32];
	uint32_t data_block_bytes, hash_block_bytes;
	uint64_t data_blocks;
	uint16_t salt_bytes;
	unsigned char unused[6];
	char salt[256];
	unsigned char rest[VERITY_BLOCK - 344]; /* zeros */
};
_Static_assert(
	sizeof(struct verity_super) == VERITY_BLOCK, "the superblock has a block for itself");

/*
 * Made of the root hash, by which equal disks are equal and others differ: version 8, as RFC 9562
 * has it for such.
 */
static inline void verity_uuid(const unsigned char root[VERITY_HASH_BYTES], unsigned char uuid[16])
{
	memcpy(uuid, root, 16);
	uuid[6] = (unsigned char)(0x80 | (uuid[6] & 0x0f));
	uuid[8] = (unsigned char)(0x80 | (uuid[8] & 0x3f));
}

static inline void verity_super_fill(uint64_t data_blocks,
	const unsigned char root[VERITY_HASH_BYTES], struct verity_super *super)
{
	memset(super, 0, sizeof *super);
	memcpy(super->signature, "verity", sizeof "verity");
	super->version = htole32(1);
	super->hash_type = htole32(1);
	verity_uuid(root, super->uuid);
	memcpy(super->algorithm, VERITY_ALGORITHM, sizeof VERITY_ALGORITHM);
	super->data_block_bytes = super->hash_block_bytes = htole32(VERITY_BLOCK);
	super->data_blocks = htole64(data_blocks);
	super->salt_bytes = htole16(VERITY_SALT_BYTES);
	memcpy(super->salt, VERITY_SALT, VERITY_SALT_BYTES);
}

/*
 * Fills in the blocks of each level, that of the data's hashes first, and returns how many levels
 * there are: none over a single block of data.
 */
static inline unsigned verity_levels(uint64_t data_blocks, uint64_t blocks[VERITY_LEVELS_MOST])
{
	unsigned levels = 0;
	for (uint64_t n = data_blocks; n > 1; levels++) {
		n = n / VERITY_FANOUT + (n % VERITY_FANOUT != 0);
		blocks[levels] = n;
	}
	return levels;
}

/* All that lies behind the data: the superblock and the tree. */
static inline uint64_t verity_tree_blocks(uint64_t data_blocks)
{
	uint64_t blocks[VERITY_LEVELS_MOST], sum = 1;
	for (unsigned i = verity_levels(data_blocks, blocks); i > 0; i--)
		sum += blocks[i - 1];
	return sum;
}

#endif
