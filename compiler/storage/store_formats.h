/* SPDX-License-Identifier: MIT */
/*
 * store_formats: the formats of store disks, one row each. To add one, add it to enum store_type
 * (backends/interface/choices.h), add its row, and add its file system with the kernel option
 * (compiler/storage/file_systems.c).
 */
#ifndef MVM_COMPILER_STORAGE_STORE_FORMATS_H
#define MVM_COMPILER_STORAGE_STORE_FORMATS_H

#include <stddef.h>
#include <stdint.h>

#include "backends/interface/choices.h"
#include "imaging/disk/store_disk.h"

enum { COMPRESSIONS_MAX = 6, STORE_WAYS = 3 };

/* A way to make a disk of a format. An engine may have several, for different compressions. */
struct store_way {
	enum store_engine engine;
	bool (*make)(struct diag *diag, const struct store_disk_request *request,
		struct store_disk_result *result);
	enum compression compressions[COMPRESSIONS_MAX]; /* in the order that messages list them */
	size_t n;
	bool can_trust; /* can make the disk without reading the store's files */
	bool has_pages; /* files fill whole pages, which a guest can map */
};

struct store_format {
	const char *image;                /* the disk's file name in the runner */
	const char *label;                /* label in udev's name of the disk; NULL: none */
	const struct image_format *links; /* for the engine "linked" */
	enum compression compression;     /* the default */
	int64_t block_size;               /* the default, in bytes */
	struct store_way ways[STORE_WAYS];
	/*
	 * Kernel options that decompress each compression, without CONFIG_; NULL: none is needed.
	 */
	const char *kernel_options[COMPRESSION_OPEN];
};

/* Indexed by enum store_type. */
extern const struct store_format store_formats[];

/* Returns NULL if the engine does not make disks of this format with this compression. */
const struct store_way *store_way_find(
	enum store_type type, enum store_engine engine, enum compression compression);

#endif
