/* SPDX-License-Identifier: MIT */
/*
 * compress_pool: compresses blocks in several threads, and returns them in the order of submission.
 */
#ifndef MVM_IMAGING_SQUASHFS_COMPRESS_POOL_H
#define MVM_IMAGING_SQUASHFS_COMPRESS_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct compress_pool;

/*
 * The caller owns it from pool_take to pool_submit and from pool_retire to pool_release; otherwise
 * the pool does.
 */
struct block {
	/* one byte longer than a block, so that a reader can detect that a file has grown */
	unsigned char *data;
	/* bytes in `data`: raw ones when submitted, those to store when retired */
	uint32_t n;
	bool may_be_hole; /* a block of zeros is not stored: `n` becomes 0 */
	/* when retired: `n` in squashfs's format, with the bit for uncompressed data */
	uint32_t size_word;
	uint64_t hash; /* when retired: XXH3 of the bytes to store */
	void *owner;   /* for the caller, as are the next two */
	uint64_t record;
	uint32_t index;
	bool done; /* private to the pool, guarded by its lock */
};

/* `jobs` threads altogether, including the caller's, which compresses while it waits. */
struct compress_pool *pool_new(unsigned jobs, uint32_t block_size, int level);
/* Discards blocks that were submitted and not retired. */
void pool_free(struct compress_pool *pool);

/* Returns a block to fill; NULL if all are in use, in which case one must be retired first. */
struct block *pool_take(struct compress_pool *pool);
void pool_submit(struct compress_pool *pool, struct block *block);
/*
 * Returns the block that was submitted first, once it is compressed; NULL if none is under way, or
 * (without `wait`) it is not ready.
 */
struct block *pool_retire(struct compress_pool *pool, bool wait);
void pool_release(struct compress_pool *pool, struct block *block);

#endif
