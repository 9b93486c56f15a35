/* SPDX-License-Identifier: MIT */
/*
 * index: the indexes of a compressed file: one for each 4 KiB of its content, in packs of 2 or 16.
 * Each pack ends with the number of the block that it counts from: that, and nothing else, changes
 * when the file's blocks are moved.
 */
#ifndef MVM_IMAGING_EROFS_INDEX_H
#define MVM_IMAGING_EROFS_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct erofs_index {
	uint64_t size;   /* bytes of the file */
	uint16_t advise; /* of its header */
};

/* Bytes of all packs. */
uint64_t erofs_index_bytes(struct erofs_index index);
/*
 * Where the block number of the pack at `*at` is, which moves to the next pack; 0 behind the last
 * one.
 */
size_t erofs_index_next(struct erofs_index index, size_t *at);
/* The number of blocks that the file has; what stands inline is in none. */
uint64_t erofs_index_blocks(struct erofs_index index, const unsigned char *packs);
/* Adds to all block numbers, also "negative" numbers. */
void erofs_index_move(struct erofs_index index, unsigned char *packs, uint32_t by);

#endif
