/* SPDX-License-Identifier: MIT */
/*
 * pack: makes squashfs objects. Several may be under way: a path is read while the blocks of
 * earlier ones are compressed.
 */
#ifndef MVM_IMAGING_SQUASHFS_PACK_H
#define MVM_IMAGING_SQUASHFS_PACK_H

#include "imaging/cache/packing.h"
#include "imaging/squashfs/compress_pool.h"

struct packing *squashfs_packing_new(
	struct compress_pool *pool, uint32_t block_size, const struct packing_request *request);
/* Reads the tree and submits its blocks; stores blocks that are ready, of other packings too. */
bool squashfs_packing_walk(struct packing *packing, struct diag *diag);
/* Stores a block that the pool has retired in its own object, and releases it. */
bool squashfs_packing_store(struct compress_pool *pool, struct diag *diag, struct block *block);

#endif
