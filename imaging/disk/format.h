/* SPDX-License-Identifier: MIT */
/* format: the operations by which store_disk.c links images of a file system. */
#ifndef MVM_IMAGING_DISK_FORMAT_H
#define MVM_IMAGING_DISK_FORMAT_H

#include "imaging/cache/packing.h"
#include "imaging/disk/store_disk.h"

struct arena;
struct image; /* an image being built; each format defines its own */
struct image_writer;

struct image_format {
	/*
	 * Validates the request; *settings becomes the cache key (format, compressor, level, block
	 * size, library). NULL with an error if unsupported.
	 */
	struct image *(*start)(struct arena *arena, struct diag *diag,
		const struct store_disk_request *request, const char **settings);
	/* Sets the writer of the image, which the caller owns. */
	void (*open)(struct image *image, struct image_writer *writer);
	/*
	 * Reads the tree of a path and starts compressing its contents, which may continue
	 * afterwards. *out must be freed, also on failure, with its own function.
	 */
	bool (*pack)(struct image *image, struct diag *diag, const struct packing_request *request,
		struct packing **out);
	/*
	 * Stores one result of compression, of any packing; *moved is false if none was ready. With
	 * `wait`, waits for one as long as work is under way.
	 */
	bool (*proceed)(struct image *image, struct diag *diag, bool wait, bool *moved);
	/* Adds the object as `name`, which must outlive the image, to the image's root. */
	bool (*link)(struct image *image, struct diag *diag, const char *name,
		const struct object *object);
	/* Writes the rest of the image. */
	bool (*finish)(
		struct image *image, struct diag *diag, uint64_t *image_bytes, uint64_t *inodes);
	/* Cancels work that is under way. */
	void (*stop)(struct image *image);
	void (*free)(struct image *image);
};

extern const struct image_format squashfs_format, erofs_format;

#endif
