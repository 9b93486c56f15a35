/* SPDX-License-Identifier: MIT */
/*
 * lz4: compresses files for erofs, whose clusters have a fixed size after compression. A file is
 * cut into segments at fixed offsets: they are compressed independently, so the result does not
 * depend on the number of threads.
 */
#ifndef MVM_IMAGING_EROFS_LZ4_H
#define MVM_IMAGING_EROFS_LZ4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaging/erofs/index.h"

struct erofs_lz4_settings {
	bool high;        /* lz4hc */
	int level;        /* of lz4hc */
	uint32_t cluster; /* most bytes of a compressed cluster, a power of two from 4 KiB on */
	bool tails;       /* the end of a compressed file may be stored inline */
};

/*
 * Bytes of an inline tail. An inode with its indexes ends at a multiple of 8, not of 32, so that a
 * longer tail may not fit into any block behind it.
 */
enum { EROFS_TAIL_MAX = 4064 };

struct segment {
	/* the content before compression; then the blocks, and the tail */
	unsigned char *data;
	uint32_t n;    /* bytes of content */
	bool is_last;  /* of its file */
	bool is_zeros; /* all content is zeros, and `data` does not contain it yet */

	/* after compression */
	bool flat; /* not compressed: `data` has the content, and the tail is not in a block yet */
	uint32_t blocks, tail_bytes;
	struct erofs_cluster *clusters; /* room for each block of content */
	size_t nclusters;
};

/* Returns the bytes of content of all segments of a file but the last. */
uint32_t erofs_lz4_segment_bytes(const struct erofs_lz4_settings *settings);
/* Returns how much memory `data` needs for this much content. */
size_t erofs_lz4_memory(const struct erofs_lz4_settings *settings, uint32_t content_bytes);

struct erofs_lz4; /* used by one thread at a time */

struct erofs_lz4 *erofs_lz4_new(const struct erofs_lz4_settings *settings);
void erofs_lz4_free(struct erofs_lz4 *lz4);
/*
 * Compresses a segment. The result is in `*output`, memory as for `data`, if true is returned; the
 * caller may swap them.
 */
bool erofs_lz4_compress(struct erofs_lz4 *lz4, struct segment *segment, unsigned char *output);

#endif
