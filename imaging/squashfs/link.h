/* SPDX-License-Identifier: MIT */
/* link: makes a squashfs image of objects, one store path after the other. */
#ifndef MVM_IMAGING_SQUASHFS_LINK_H
#define MVM_IMAGING_SQUASHFS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "imaging/cache/object.h"

struct image_writer;
struct squashfs_linker;

struct squashfs_link_request {
	struct image_writer *image; /* owned by the caller */
	uint32_t block_size;
	int level; /* zstd level for the metadata */
	uint32_t time;
};

struct squashfs_linker *squashfs_linker_new(const struct squashfs_link_request *request);
/* Adds the object as `name`, which must outlive the linker, to the image's root. */
bool squashfs_linker_add(struct squashfs_linker *linker, struct diag *diag, const char *name,
	const struct object *object);
/* Writes the rest of the image, except padding to *image_bytes. */
bool squashfs_linker_finish(
	struct squashfs_linker *linker, struct diag *diag, uint64_t *image_bytes, uint64_t *inodes);
void squashfs_linker_free(struct squashfs_linker *linker);

#endif
