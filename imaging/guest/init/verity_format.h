/* SPDX-License-Identifier: MIT */
/*
 * verity_format: the hash tree of dm-verity, which follows a disk's data: on-disk format 1 of
 * veritysetup, which cryptsetup's wiki describes (DMVerity). First comes a block with the
 * superblock, then the levels of the tree, from the root down. A level has the SHA-256 of each
 * block of the level below, 128 per block; the rest of its last block is zeros. Only the root hash,
 * that of the top block, must be trusted.
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
 * It precedes each block when the block is hashed. To hinder an attacker who prepares for an image
 * in advance, a salt would have to be secret until the build, and images would differ from build to
 * build. This one only makes the hashes differ from those of the same blocks elsewhere, while equal
 * blocks have equal hashes.
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
 * Derived from the root hash, so that equal disks have equal UUIDs and different ones differ:
 * version 8, which RFC 9562 provides for such uses.
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
 * Sets the number of blocks of each level, beginning with the hashes of the data, and returns the
 * number of levels: 0 for a single block of data.
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

/* Number of blocks after the data: the superblock and the tree. */
static inline uint64_t verity_tree_blocks(uint64_t data_blocks)
{
	uint64_t blocks[VERITY_LEVELS_MOST], sum = 1;
	for (unsigned i = verity_levels(data_blocks, blocks); i > 0; i--)
		sum += blocks[i - 1];
	return sum;
}

#endif
