/* SPDX-License-Identifier: MIT */
/*
 * verity: appends a hash tree to a disk image, by which dm-verity verifies each block
 * (imaging/guest/init/verity_format.h).
 */
#ifndef MVM_IMAGING_DISK_VERITY_H
#define MVM_IMAGING_DISK_VERITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

struct arena;

enum { VERITY_ROOT_BYTES = 32, VERITY_BLOCK_BYTES = 4096 };

struct verity {
	uint64_t data_blocks; /* of 4096 bytes; the superblock follows them; 0: no tree */
	unsigned char root[VERITY_ROOT_BYTES];
};

/*
 * Pads the image to a whole block, and appends the tree. The result does not depend on the number
 * of threads, `jobs`.
 */
bool verity_append(struct diag *diag, const char *image, unsigned jobs, struct verity *verity);

/* Returns the bytes after the image's data. */
uint64_t verity_tree_bytes(const struct verity *verity);

/* The root as hex digits and as a UUID, and the salt, which is the same for all images. */
const char *verity_root_text(struct arena *arena, const struct verity *verity);
const char *verity_uuid_text(struct arena *arena, const struct verity *verity);
const char *verity_salt_text(struct arena *arena);
/* Parses a root from hex digits; false if it is malformed. */
bool verity_root_parse(const char *text, struct verity *verity);

#endif
