/* SPDX-License-Identifier: MIT */
/* link: makes an erofs image of objects, one store path after the other. */
#ifndef MVM_IMAGING_EROFS_LINK_H
#define MVM_IMAGING_EROFS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "imaging/cache/object.h"

struct erofs_linker;
struct image_writer;

/* The caller owns `image`. `time` is the mtime of every inode. */
struct erofs_linker *erofs_linker_new(struct image_writer *image, uint32_t time);
/* Adds the object as `name`, which must outlive the linker, to the image's root. */
bool erofs_linker_add(struct erofs_linker *linker, struct diag *diag, const char *name,
	const struct object *object);
/* Reserves whole pages of the image for data that the caller writes, and returns their position. */
uint64_t erofs_linker_reserve(struct erofs_linker *linker, uint64_t bytes);
/*
 * As erofs_linker_add, for records whose files start at reserved positions of the image. Hashes of
 * the footer identify the content.
 */
bool erofs_linker_add_placed(struct erofs_linker *linker, struct diag *diag, const char *name,
	const struct object *object);
/* Writes the rest of the image, except padding to *image_bytes. */
bool erofs_linker_finish(
	struct erofs_linker *linker, struct diag *diag, uint64_t *image_bytes, uint64_t *inodes);
void erofs_linker_free(struct erofs_linker *linker);

#endif
