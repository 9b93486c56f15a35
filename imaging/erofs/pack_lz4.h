/* SPDX-License-Identifier: MIT */
/*
 * pack_lz4: makes erofs objects with LZ4 by itself. Several may be under way: a path is read while
 * the files of earlier ones are compressed.
 */
#ifndef MVM_IMAGING_EROFS_PACK_LZ4_H
#define MVM_IMAGING_EROFS_PACK_LZ4_H

#include "imaging/cache/packing.h"
#include "imaging/erofs/segment_pool.h"

/* `settings` are those of the pool; both outlive the packing. */
struct packing *erofs_lz4_packing_new(struct segment_pool *pool,
	const struct erofs_lz4_settings *settings, const struct packing_request *request);
/* Reads the tree and submits its files; stores segments that are ready, of other packings too. */
bool erofs_lz4_packing_walk(struct packing *packing, struct diag *diag);
/* Stores a segment that the pool has retired in its own object, and releases it. */
bool erofs_lz4_packing_store(
	struct segment_pool *pool, struct diag *diag, struct pooled_segment *segment);

#endif
