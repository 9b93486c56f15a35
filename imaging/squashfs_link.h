/* SPDX-License-Identifier: MIT */
/* squashfs_link: makes one squashfs image of objects, a store path at a time. */
#ifndef MVM_SQUASHFS_LINK_H
#define MVM_SQUASHFS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler/base/diag.h"
#include "imaging/object.h"

struct linker;

struct link_request {
	const char *output;  /* must not exist */
	uint32_t block_size;
	int level;           /* of zstd, for the metadata */
	uint32_t time;
};

struct linker *linker_new(struct diag *diag, const struct link_request *request);
/* Adds the object as `name` (which must live on) to the image's root. */
bool linker_add(struct linker *linker, struct diag *diag, const char *name, const struct object *object);
bool linker_finish(struct linker *linker, struct diag *diag, uint64_t *image_bytes, uint64_t *inodes);
/* An image that was not finished is removed. */
void linker_free(struct linker *linker);

#endif
