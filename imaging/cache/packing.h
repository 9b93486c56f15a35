/* SPDX-License-Identifier: MIT */
/*
 * packing: making the object of one store path, as far as all file systems do it alike;
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
	const char *path;                /* of the tree, lives as long as the packing */
	struct object_identity identity; /* as well */
	/* an empty file, read and write; the packing's from now on */
	int fd;
	const char *target; /* how errors call that file; copied */
	/* Called while the tree is read, with the bytes read so far. */
	void (*progress)(void *context, uint64_t read_bytes);
	void *progress_context;
};

/* Writes the tables. The packing gives its file to the object and is empty after. */
bool packing_finish(struct packing *packing, struct diag *diag, struct object *out);
/* Bytes of all its files, once it is walked. */
uint64_t packing_content_bytes(const struct packing *packing);

#endif
