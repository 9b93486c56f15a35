/* SPDX-License-Identifier: MIT */
/* object_pack: makes the object of one store path. Several may be under way: a path is walked while the blocks of those before are compressed. */
#ifndef MVM_OBJECT_PACK_H
#define MVM_OBJECT_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/base/diag.h"
#include "imaging/compress_pool.h"
#include "imaging/object.h"

struct packing;

struct packing_request {
	struct compress_pool *pool;
	uint32_t block_size;
	const char *path;                /* of the tree, lives as long as the packing */
	struct object_identity identity; /* as well */
	int fd;                          /* an empty file, read and write; the packing's from now on */
	const char *target;              /* how errors call that file; copied */
	/* Called while the tree is read, with the bytes read so far. */
	void (*progress)(void *context, uint64_t read_bytes);
	void *progress_context;
};

struct packing *packing_new(const struct packing_request *request);
/* Reads the tree and submits its blocks; stores blocks that are ready, of other packings too. */
bool packing_walk(struct packing *packing, struct diag *diag);
/* Stores a block that the pool retired, in the object that it is part of, and releases it. */
bool packing_store(struct compress_pool *pool, struct diag *diag, struct block *block);
/* Walked, and no block is under way. */
bool packing_is_complete(const struct packing *packing);
/* Writes the tables. The packing gives its file to the object and is empty after. */
bool packing_finish(struct packing *packing, struct diag *diag, struct object *out);
/* No block of it may be under way in a pool that still lives. */
void packing_free(struct packing *packing);
/* Bytes of all its files, once it is walked. */
uint64_t packing_content_bytes(const struct packing *packing);

#endif
