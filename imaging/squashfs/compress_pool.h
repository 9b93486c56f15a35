/* SPDX-License-Identifier: MIT */
/* compress_pool: blocks compressed by several threads, handed back in the order they came. */
#ifndef MVM_IMAGING_SQUASHFS_COMPRESS_POOL_H
#define MVM_IMAGING_SQUASHFS_COMPRESS_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct compress_pool;

/*
 * Belongs to the pool; to its user from pool_take to pool_submit, and from pool_retire to
 * pool_release.
 */
struct block {
	/* has one byte more than a block, for readers that look for the end of a file */
	unsigned char *data;
	/* bytes in `data`: raw ones when submitted, those to store when retired */
	uint32_t n;
	bool may_be_hole; /* a block of zeros needs no bytes: `n` becomes 0 */
	/* when retired: `n` as squashfs notes it, with the bit for uncompressed bytes */
	uint32_t size_word;
	uint64_t hash; /* when retired: XXH3 of the bytes to store */
	void *owner;   /* of the user, as the next two */
	uint64_t record;
	uint32_t index;
	bool done; /* the pool's own, guarded by its lock */
};

/* `jobs` threads altogether, the caller's included: it compresses while it has to wait. */
struct compress_pool *pool_new(unsigned jobs, uint32_t block_size, int level);
/* Drops what was submitted and not retired. */
void pool_free(struct compress_pool *pool);

/* A block to fill; NULL when all are in use: retire one first. */
struct block *pool_take(struct compress_pool *pool);
void pool_submit(struct compress_pool *pool, struct block *block);
/*
 * The block that was submitted first, once it is compressed; NULL when none is under way, or
 * (without `wait`) not ready.
 */
struct block *pool_retire(struct compress_pool *pool, bool wait);
void pool_release(struct compress_pool *pool, struct block *block);

#endif
