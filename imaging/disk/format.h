/* SPDX-License-Identifier: MIT */
/* format: what store_disk.c needs of a file system to link images of it. */
#ifndef MVM_IMAGING_DISK_FORMAT_H
#define MVM_IMAGING_DISK_FORMAT_H

#include "imaging/cache/packing.h"
#include "imaging/disk/store_disk.h"

struct arena;
struct image; /* one under way; each format has its own */
struct image_writer;

struct image_format {
	/*
	 * Judges the request and gives the word for all that changes an object's bytes; NULL when
	 * it cannot be done so.
	 */
	struct image *(*start)(struct arena *arena, struct diag *diag,
		const struct store_disk_request *request, const char **settings);
	/* The image goes to `writer`, which stays the caller's. */
	void (*open)(struct image *image, struct image_writer *writer);
	/*
	 * Reads the tree of a path and has its contents compressed, which may go on after; *out
	 * must be freed, also on failure.
	 */
	bool (*pack)(struct image *image, struct diag *diag, const struct packing_request *request,
		struct packing **out);
	/*
	 * Stores something that was compressed meanwhile, of whichever packing; *moved tells
	 * whether there was any. With `wait` it waits for it, as long as anything is under way.
	 */
	bool (*proceed)(struct image *image, struct diag *diag, bool wait, bool *moved);
	bool (*is_complete)(const struct packing *packing);
	/* After `stop`, of packings that are not complete too. */
	void (*packing_free)(struct packing *packing);
	/* Adds the object as `name` (which must live on) to the image's root. */
	bool (*link)(struct image *image, struct diag *diag, const char *name,
		const struct object *object);
	/* Gives the writer the rest. */
	bool (*finish)(
		struct image *image, struct diag *diag, uint64_t *image_bytes, uint64_t *inodes);
	/* Ends what is under way. */
	void (*stop)(struct image *image);
	void (*free)(struct image *image);
};

extern const struct image_format squashfs_format, erofs_format;

#endif
