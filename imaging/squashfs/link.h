/* SPDX-License-Identifier: MIT */
/* link: makes a squashfs image of objects, one store path after the other. */
#ifndef MVM_IMAGING_SQUASHFS_LINK_H
#define MVM_IMAGING_SQUASHFS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "imaging/cache/object.h"

struct image_writer;
struct linker;

struct link_request {
	struct image_writer *image; /* owned by the caller */
	uint32_t block_size;
	int level; /* zstd level for the metadata */
	uint32_t time;
};

struct linker *linker_new(const struct link_request *request);
/* Adds the object as `name`, which must outlive the linker, to the image's root. */
bool linker_add(
	struct linker *linker, struct diag *diag, const char *name, const struct object *object);
/* Writes the rest of the image, except padding to *image_bytes. */
bool linker_finish(
	struct linker *linker, struct diag *diag, uint64_t *image_bytes, uint64_t *inodes);
void linker_free(struct linker *linker);

#endif
