/* SPDX-License-Identifier: MIT */
/* extents: where a file's content is, in the records of an erofs object. */
#ifndef MVM_IMAGING_EROFS_EXTENTS_H
#define MVM_IMAGING_EROFS_EXTENTS_H

#include <stdint.h>

/*
 * Payload of a file's record. The map header and indexes follow, whose block numbers are relative
 * to the file's first block, and then the tail.
 */
struct erofs_extents {
	uint32_t layout; /* EROFS_PLAIN, EROFS_INLINE, EROFS_COMPRESSED */
	uint32_t blocks; /* in the object's data, from the file's `start` on */
	uint32_t index_bytes, tail_bytes;
};

#endif
