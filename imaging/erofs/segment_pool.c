/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/segment_pool.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/pipeline.h"
#include "imaging/erofs/format.h"

enum {
	SMALL_BYTES = 128 * 1024, /* most files fit into a small segment */
	/* how many segments there are of each size, in addition to those for each thread */
	SMALL_SPARE = 32,
	SMALL_PER_JOB = 4,
	LARGE_SPARE = 4,
};

/* Segments of one size. Their memory is allocated when they are first used, and then kept. */
struct shelf {
	uint32_t content_bytes;
	size_t memory;
	struct pooled_segment *all, **free;
	size_t n, nfree;
};

struct worker {
	struct erofs_lz4 *lz4;
	unsigned char *output[2]; /* for small and large segments; swapped with their data */
};

struct segment_pool {
	struct shelf shelves[2];
	struct worker *workers;
	unsigned jobs;
	struct pipeline *pipeline;
};

static void shelf_init(struct shelf *shelf, const struct erofs_lz4_settings *settings,
	uint32_t content_bytes, size_t n)
{
	*shelf = (struct shelf){.content_bytes = content_bytes,
		.memory = erofs_lz4_memory(settings, content_bytes) + 1,
		.all = require_memory(calloc(n, sizeof *shelf->all)),
		.free = require_memory(calloc(n, sizeof *shelf->free)),
		.n = n};
	for (size_t i = n; i-- > 0;)
		shelf->free[shelf->nfree++] = &shelf->all[i];
}

static void shelf_free(struct shelf *shelf)
{
	for (size_t i = 0; i < shelf->n; i++) {
		free(shelf->all[i].segment.data);
		free(shelf->all[i].segment.clusters);
	}
	free(shelf->all);
	free(shelf->free);
}

static void compress(void *context, size_t number, void *item)
{
	struct segment_pool *pool = context;
	struct worker *worker = &pool->workers[number];
	struct pooled_segment *pooled = item;
	const size_t memory = pool->shelves[pooled->is_large].memory;
	unsigned char **output = &worker->output[pooled->is_large];
	if (!*output)
		*output = require_memory(malloc(memory));
	if (!erofs_lz4_compress(worker->lz4, &pooled->segment, *output))
		return;
	unsigned char *const data = pooled->segment.data;
	pooled->segment.data = *output;
	*output = data;
}

struct segment_pool *segment_pool_new(unsigned jobs, const struct erofs_lz4_settings *settings)
{
	struct segment_pool *pool = require_memory(calloc(1, sizeof *pool));
	pool->jobs = jobs ? jobs : 1;
	shelf_init(&pool->shelves[0], settings, SMALL_BYTES,
		SMALL_SPARE + (size_t)SMALL_PER_JOB * pool->jobs);
	shelf_init(&pool->shelves[1], settings, erofs_lz4_segment_bytes(settings),
		LARGE_SPARE + (size_t)pool->jobs);
	pool->workers = require_memory(calloc(pool->jobs, sizeof *pool->workers));
	for (unsigned i = 0; i < pool->jobs; i++)
		pool->workers[i].lz4 = erofs_lz4_new(settings);
	pool->pipeline =
		pipeline_new(pool->jobs, pool->shelves[0].n + pool->shelves[1].n, compress, pool);
	return pool;
}

void segment_pool_free(struct segment_pool *pool)
{
	if (!pool)
		return;
	pipeline_free(pool->pipeline);
	for (unsigned i = 0; i < pool->jobs; i++) {
		erofs_lz4_free(pool->workers[i].lz4);
		free(pool->workers[i].output[0]);
		free(pool->workers[i].output[1]);
	}
	free(pool->workers);
	shelf_free(&pool->shelves[0]);
	shelf_free(&pool->shelves[1]);
	free(pool);
}

struct pooled_segment *segment_take(
	struct segment_pool *pool, uint32_t content_bytes, bool is_zeros)
{
	/* Compressed zeros fit into a small segment. */
	const bool is_large = content_bytes > SMALL_BYTES && !is_zeros;
	struct shelf *shelf = &pool->shelves[is_large];
	if (shelf->nfree == 0)
		return NULL;
	struct pooled_segment *pooled = shelf->free[--shelf->nfree];
	struct segment *segment = &pooled->segment;
	if (!segment->data)
		segment->data = require_memory(malloc(shelf->memory));
	if (!segment->clusters)
		segment->clusters =
			require_memory(malloc((pool->shelves[1].content_bytes / EROFS_BLOCK + 1) *
				sizeof *segment->clusters));
	segment->n = content_bytes;
	segment->is_zeros = is_zeros;
	pooled->is_large = is_large;
	return pooled;
}

void segment_submit(struct segment_pool *pool, struct pooled_segment *segment)
{
	pipeline_submit(pool->pipeline, segment, !segment->is_large);
}

struct pooled_segment *segment_retire(struct segment_pool *pool, bool wait)
{
	return pipeline_retire(pool->pipeline, wait);
}

void segment_release(struct segment_pool *pool, struct pooled_segment *segment)
{
	struct shelf *shelf = &pool->shelves[segment->is_large];
	shelf->free[shelf->nfree++] = segment;
}
