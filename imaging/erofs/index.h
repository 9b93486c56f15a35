/* SPDX-License-Identifier: MIT */
/*
 * index: the indexes of a compressed file. There is one for each 4 KiB of its content, in packs of
 * 2 or 16. Each pack ends with the block number that its indexes are relative to; only these
 * numbers change when the file's blocks are moved.
 */
#ifndef MVM_IMAGING_EROFS_INDEX_H
#define MVM_IMAGING_EROFS_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

struct erofs_index {
	uint64_t size;   /* bytes of the file */
	uint16_t advise; /* of its header */
};

/*
 * Consecutive bytes of a file that were compressed together. Each cluster has more bytes than its
 * blocks, except a raw one: it has one block, and a whole block of bytes unless it is the last. The
 * last cluster may have no block: it is the inline tail.
 */
struct erofs_cluster {
	uint32_t bytes;
	uint16_t blocks;
	bool raw; /* not compressed */
};

/* Returns the bytes of all packs. */
uint64_t erofs_index_bytes(struct erofs_index index);
/*
 * Returns the offset of the block number of the pack at `*at`, and moves `*at` to the next pack; 0
 * after the last one.
 */
size_t erofs_index_next(struct erofs_index index, size_t *at);
/* Returns the number of the file's blocks, not counting inline data. */
uint64_t erofs_index_blocks(struct erofs_index index, const unsigned char *packs);
/* Appends the packs of a file that consists of these clusters; its first block has the number 0. */
void erofs_index_add(
	struct buf *out, struct erofs_index index, const struct erofs_cluster *clusters, size_t n);
/* Adds `by` to all block numbers, modulo 2^32. */
void erofs_index_move(struct erofs_index index, unsigned char *packs, uint32_t by);

#endif
