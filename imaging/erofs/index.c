/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/index.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "imaging/erofs/format.h"

enum {
	SMALL_PACK = 8,  /* bytes; holds 2 indexes of 16 bits */
	LARGE_PACK = 32, /* bytes; holds 16 indexes of 14 bits */
	/*
	 * number of leading indexes in small packs, so that large packs start at multiples of 32
	 * after the inode and its header of 8 bytes
	 */
	LEADING = 6,
	NUMBER = 4, /* bytes of the block number at the end of a pack */
};

/* An index: a number of 12 bits, and above it a type of 2 bits. */
enum {
	NUMBER_MASK = EROFS_BLOCK - 1,
	TYPE_INSIDE = 2,      /* not the first index of a cluster */
	BLOCK_COUNT = 0x0800, /* the number is then the cluster's block count */
};

static uint64_t count(struct erofs_index index)
{
	return (index.size + EROFS_BLOCK - 1) >> EROFS_BLOCK_BITS;
}

/* Returns how many of the indexes are in large packs. */
static uint64_t in_large_packs(struct erofs_index index)
{
	const uint64_t n = count(index);
	return (index.advise & EROFS_ADVISE_2B) && n > LEADING ? (n - LEADING) / 16 * 16 : 0;
}

uint64_t erofs_index_bytes(struct erofs_index index)
{
	const uint64_t large = in_large_packs(index), small = count(index) - large;
	return large / 16 * LARGE_PACK + (small + 1) / 2 * SMALL_PACK;
}

static bool is_large_pack(struct erofs_index index, size_t at)
{
	const size_t leading = LEADING / 2 * SMALL_PACK;
	return at >= leading && at < leading + in_large_packs(index) / 16 * LARGE_PACK;
}

size_t erofs_index_next(struct erofs_index index, size_t *at)
{
	if (*at >= erofs_index_bytes(index))
		return 0;
	*at += is_large_pack(index, *at) ? LARGE_PACK : SMALL_PACK;
	return *at - NUMBER;
}

void erofs_index_move(struct erofs_index index, unsigned char *packs, uint32_t by)
{
	size_t at = 0;
	for (size_t number; (number = erofs_index_next(index, &at));) {
		uint32_t block;
		memcpy(&block, packs + number, sizeof block);
		block = htole32(le32toh(block) + by);
		memcpy(packs + number, &block, sizeof block);
	}
}

static unsigned index_at(const unsigned char *pack, unsigned i, unsigned bits)
{
	const unsigned char *from = pack + i * bits / 8;
	return (unsigned)(from[0] | from[1] << 8 | from[2] << 16) >> (i * bits % 8) & 0x3fff;
}

uint64_t erofs_index_blocks(struct erofs_index index, const unsigned char *packs)
{
	uint64_t blocks = 0, content = 0;
	unsigned last = 0; /* blocks of the current cluster */
	for (size_t at = 0, next; content < index.size; at = next) {
		const bool large = is_large_pack(index, at);
		next = at + (large ? LARGE_PACK : SMALL_PACK);
		for (unsigned i = 0; i < (large ? 16 : 2) && content < index.size;
			i++, content += EROFS_BLOCK) {
			const unsigned value = index_at(packs + at, i, large ? 14 : 16),
				       number = value & NUMBER_MASK;
			const bool inside = value >> EROFS_BLOCK_BITS == TYPE_INSIDE;
			if (inside && (index.advise & EROFS_ADVISE_BIG) && (number & BLOCK_COUNT))
				last = number & ~(unsigned)BLOCK_COUNT;
			/* an index that points to the end of the file starts no cluster */
			if (inside || content + number >= index.size)
				continue;
			blocks += last;
			last = 1;
		}
	}
	return blocks + last - !!(index.advise & EROFS_ADVISE_INLINE);
}
