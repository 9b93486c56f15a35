/* SPDX-License-Identifier: MIT */
#include "imaging/squashfs/compress_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "base/ending.h"
#include "imaging/squashfs/format.h"

enum {
	BLOCKS_BYTES = 16 << 20, /* memory limit for all blocks together */
	BLOCKS_MAX = 96,         /* but never more blocks than this */
	BLOCKS_SPARE = 8,        /* and at least this many more than threads */
};

struct compressor {
	ZSTD_CCtx *context;
	unsigned char *output; /* as large as a block's data, with which it is swapped */
	size_t capacity;
};

struct worker {
	struct compress_pool *pool;
	struct compressor compressor;
	pthread_t thread;
};

struct compress_pool {
	uint32_t block_size;
	struct block *blocks, **free, **ring;
	size_t nblocks, nfree;
	struct compressor own; /* of the caller's thread */
	struct worker *workers;
	size_t nworkers;

	pthread_mutex_t lock; /* guards the rest, and `done` of every block */
	pthread_cond_t work, ready;
	size_t submitted, started, retired; /* counts; ring[count % nblocks] */
	bool stop;
};

static unsigned char *block_memory(uint32_t block_size)
{
	return require_memory(malloc((size_t)block_size + 1));
}

static struct compressor compressor_new(uint32_t block_size, int level)
{
	struct compressor c = {
		.context = require_memory(ZSTD_createCCtx()), .capacity = block_size};
	c.output = block_memory(block_size);
	ZSTD_CCtx_setParameter(c.context, ZSTD_c_compressionLevel, level);
	return c;
}

static void compressor_free(struct compressor *c)
{
	ZSTD_freeCCtx(c->context);
	free(c->output);
}

static bool is_zero(const unsigned char *p, size_t n)
{
	return n && p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

static void block_compress(struct compressor *c, struct block *block)
{
	if (block->may_be_hole && is_zero(block->data, block->n)) {
		block->n = block->size_word = 0;
		block->hash = 0;
		return;
	}
	/*
	 * Limits the output to less than the input, so that zstd fails for data that does not
	 * shrink.
	 */
	size_t room = block->n - 1 < c->capacity ? block->n - 1 : c->capacity;
	size_t size = ZSTD_compress2(c->context, c->output, room, block->data, block->n);
	if (ZSTD_isError(size)) {
		if (ZSTD_getErrorCode(size) != ZSTD_error_dstSize_tooSmall)
			ending_fatal("zstd cannot compress: %s", ZSTD_getErrorName(size));
		block->size_word = block->n | SQUASHFS_COMPRESSED_BIT_BLOCK;
	} else {
		unsigned char *const data = block->data;
		block->data = c->output;
		c->output = data;
		block->size_word = block->n = (uint32_t)size;
	}
	block->hash = XXH3_64bits(block->data, block->n);
}

/* Compresses the next waiting block; called and returns with the lock held. */
static void compress_next(struct compress_pool *pool, struct compressor *c)
{
	struct block *block = pool->ring[pool->started++ % pool->nblocks];
	pthread_mutex_unlock(&pool->lock);
	block_compress(c, block);
	pthread_mutex_lock(&pool->lock);
	block->done = true;
	pthread_cond_signal(&pool->ready);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct compress_pool *pool = worker->pool;
	pthread_mutex_lock(&pool->lock);
	while (!pool->stop) {
		if (pool->started == pool->submitted)
			pthread_cond_wait(&pool->work, &pool->lock);
		else
			compress_next(pool, &worker->compressor);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static size_t count_blocks(unsigned jobs, uint32_t block_size)
{
	size_t count = BLOCKS_BYTES / block_size;
	if (count > BLOCKS_MAX)
		count = BLOCKS_MAX;
	return count < jobs + BLOCKS_SPARE ? jobs + BLOCKS_SPARE : count;
}

struct compress_pool *pool_new(unsigned jobs, uint32_t block_size, int level)
{
	struct compress_pool *pool = require_memory(calloc(1, sizeof *pool));
	pool->block_size = block_size;
	pool->nblocks = count_blocks(jobs, block_size);
	pool->blocks = require_memory(calloc(pool->nblocks, sizeof *pool->blocks));
	pool->free = require_memory(calloc(pool->nblocks, sizeof *pool->free));
	pool->ring = require_memory(calloc(pool->nblocks, sizeof *pool->ring));
	for (size_t i = pool->nblocks; i-- > 0;)
		pool->free[pool->nfree++] = &pool->blocks[i];
	pool->own = compressor_new(block_size, level);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	pthread_cond_init(&pool->ready, NULL);
	size_t wanted = jobs > 1 ? jobs - 1 : 0;
	pool->workers = require_memory(calloc(wanted + 1, sizeof *pool->workers));
	/* Missing threads only cost time. */
	for (; pool->nworkers < wanted; pool->nworkers++) {
		struct worker *worker = &pool->workers[pool->nworkers];
		*worker = (struct worker){
			.pool = pool, .compressor = compressor_new(block_size, level)};
		if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
			compressor_free(&worker->compressor);
			break;
		}
	}
	return pool;
}

void pool_free(struct compress_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (size_t i = 0; i < pool->nworkers; i++) {
		pthread_join(pool->workers[i].thread, NULL);
		compressor_free(&pool->workers[i].compressor);
	}
	compressor_free(&pool->own);
	for (size_t i = 0; i < pool->nblocks; i++)
		free(pool->blocks[i].data);
	pthread_cond_destroy(&pool->work);
	pthread_cond_destroy(&pool->ready);
	pthread_mutex_destroy(&pool->lock);
	free(pool->workers);
	free(pool->ring);
	free(pool->free);
	free(pool->blocks);
	free(pool);
}

struct block *pool_take(struct compress_pool *pool)
{
	if (pool->nfree == 0)
		return NULL;
	struct block *block = pool->free[--pool->nfree];
	unsigned char *data = block->data ? block->data : block_memory(pool->block_size);
	*block = (struct block){.data = data};
	return block;
}

void pool_submit(struct compress_pool *pool, struct block *block)
{
	pthread_mutex_lock(&pool->lock);
	pool->ring[pool->submitted++ % pool->nblocks] = block;
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->lock);
}

struct block *pool_retire(struct compress_pool *pool, bool wait)
{
	struct block *block = NULL;
	pthread_mutex_lock(&pool->lock);
	while (pool->retired != pool->submitted) {
		struct block *oldest = pool->ring[pool->retired % pool->nblocks];
		if (oldest->done) {
			block = oldest;
			pool->retired++;
			break;
		}
		if (!wait)
			break;
		if (pool->started != pool->submitted)
			compress_next(pool, &pool->own);
		else
			pthread_cond_wait(&pool->ready, &pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return block;
}

void pool_release(struct compress_pool *pool, struct block *block)
{
	pool->free[pool->nfree++] = block;
}
