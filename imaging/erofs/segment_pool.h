/* SPDX-License-Identifier: MIT */
/*
 * segment_pool: compresses segments in several threads, and returns them in the order of
 * submission.
 */
#ifndef MVM_IMAGING_EROFS_SEGMENT_POOL_H
#define MVM_IMAGING_EROFS_SEGMENT_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "imaging/erofs/lz4.h"

struct segment_pool;

/*
 * The caller owns it from segment_take to segment_submit and from segment_retire to
 * segment_release; otherwise the pool does.
 */
struct pooled_segment {
	struct segment segment; /* `data` has room for one byte more than its content */
	void *owner;            /* for the caller */
	bool is_large;          /* private to the pool */
};

/* `jobs` threads altogether, including the caller's, which compresses while it waits. */
struct segment_pool *segment_pool_new(unsigned jobs, const struct erofs_lz4_settings *settings);
/* Discards segments that were submitted and not retired. */
void segment_pool_free(struct segment_pool *pool);

/*
 * Returns a segment for at most so much content, which is set; NULL if too many are in use, in
 * which case one must be retired first. With `is_zeros`, the content is zeros, and need not be
 * filled in.
 */
struct pooled_segment *segment_take(
	struct segment_pool *pool, uint32_t content_bytes, bool is_zeros);
void segment_submit(struct segment_pool *pool, struct pooled_segment *segment);
/*
 * Returns the segment that was submitted first, once it is compressed; NULL if none is under way,
 * or (without `wait`) it is not ready.
 */
struct pooled_segment *segment_retire(struct segment_pool *pool, bool wait);
void segment_release(struct segment_pool *pool, struct pooled_segment *segment);

#endif
