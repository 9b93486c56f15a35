/* SPDX-License-Identifier: MIT */
/*
 * packing: the part of making a store path's object that all file systems share;
 * imaging/squashfs/pack.c and imaging/erofs/pack.c do the rest.
 */
#ifndef MVM_IMAGING_CACHE_PACKING_H
#define MVM_IMAGING_CACHE_PACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "imaging/cache/object.h"

struct packing;

struct packing_request {
	const char *path;                /* of the tree; outlives the packing */
	struct object_identity identity; /* its strings outlive the packing */
	/* an empty file, open for reading and writing; the packing owns it */
	int fd;
	const char *target; /* the file's name for errors; copied */
	/* Called while the tree is read, with the bytes read so far. */
	void (*progress)(void *context, uint64_t read_bytes);
	void *progress_context;
};

/* Writes the tables. Moves the file to the object; the packing is empty afterwards. */
bool packing_finish(struct packing *packing, struct diag *diag, struct object *out);
/* Returns the bytes of all files of the tree, after the walk. */
uint64_t packing_content_bytes(const struct packing *packing);

#endif
