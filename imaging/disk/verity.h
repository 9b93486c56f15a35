/* SPDX-License-Identifier: MIT */
/*
 * verity: a hash tree behind the data of a disk's image, by which dm-verity knows each of its
 * blocks (stage1/verity_format.h).
 */
#ifndef MVM_IMAGING_DISK_VERITY_H
#define MVM_IMAGING_DISK_VERITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

struct arena;

enum { VERITY_ROOT_BYTES = 32, VERITY_BLOCK_BYTES = 4096 };

struct verity {
	uint64_t data_blocks; /* of 4096 bytes; the superblock is the next. 0: there is no tree */
	unsigned char root[VERITY_ROOT_BYTES];
};

/*
 * Fills the image up to a whole block, and appends the tree. The same image, the same bytes,
 * whatever `jobs`, threads, is.
 */
bool verity_append(struct diag *diag, const char *image, unsigned jobs, struct verity *verity);

/* What the image has behind its data, in bytes. */
uint64_t verity_tree_bytes(const struct verity *verity);

/* As hex digits and as a UUID, and the salt, which is the same for all. */
const char *verity_root_text(struct arena *arena, const struct verity *verity);
const char *verity_uuid_text(struct arena *arena, const struct verity *verity);
const char *verity_salt_text(struct arena *arena);
/* The other way; false when these are not a root hash's hex digits. */
bool verity_root_parse(const char *text, struct verity *verity);

#endif
