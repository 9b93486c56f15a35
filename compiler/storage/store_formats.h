/* SPDX-License-Identifier: MIT */
/*
 * store_formats: the formats of store disks, one row for each. To add one, add it to enum
 * store_type (backends/interface/choices.h), add its row, and name it among the file systems
 * (compiler/storage/file_systems.c), where its kernel option is.
 */
#ifndef MVM_COMPILER_STORAGE_STORE_FORMATS_H
#define MVM_COMPILER_STORAGE_STORE_FORMATS_H

#include <stddef.h>
#include <stdint.h>

#include "backends/interface/choices.h"
#include "imaging/disk/store_disk.h"

enum { COMPRESSIONS_MAX = 6, STORE_WAYS = 2 };

/* A way to make a disk of a format. */
struct store_way {
	enum store_engine engine;
	bool (*make)(struct diag *diag, const struct store_disk_request *request,
		struct store_disk_result *result);
	enum compression compressions[COMPRESSIONS_MAX]; /* in the order of messages */
	size_t n;
};

struct store_format {
	const char *image;                /* the disk's name in the runner */
	const char *label;                /* by which udev names the disk; NULL: it has none */
	const struct image_format *links; /* for the engine "linked" */
	enum compression compression;     /* the default */
	int64_t block_size;               /* the default, in bytes */
	struct store_way ways[STORE_WAYS];
	/* What the kernel needs to unpack each compression, without CONFIG_; NULL: nothing more. */
	const char *kernel_options[COMPRESSION_OPEN];
};

/* By enum store_type. */
extern const struct store_format store_formats[];

/* NULL when the engine does not make disks of the format. */
const struct store_way *store_way_find(enum store_type type, enum store_engine engine);

#endif
