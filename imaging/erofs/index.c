/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/index.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
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
	TYPE_RAW = 0,
	TYPE_COMPRESSED = 1,
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

/* ---- making indexes ---- */

struct entry {
	uint8_t type;
	/*
	 * where a cluster starts in these 4 KiB, or the distance from the index where it starts, or
	 * its block count
	 */
	uint16_t number;
	uint16_t ahead;  /* distance to the next index that starts a cluster */
	uint16_t blocks; /* of the cluster that starts here */
};

/* Fills the entries of a cluster whose first byte is at `at` in the file. */
static void expand(struct erofs_index index, const struct erofs_cluster *cluster, uint64_t at,
	struct entry *entries)
{
	const uint16_t start = (uint16_t)(at & NUMBER_MASK),
		       blocks = cluster->blocks ? cluster->blocks : 1;
	const uint32_t distance = (start + cluster->bytes) >> EROFS_BLOCK_BITS;
	struct entry *entry = &entries[at >> EROFS_BLOCK_BITS];
	*entry = (struct entry){.type = cluster->raw ? TYPE_RAW : TYPE_COMPRESSED,
		.number = start,
		.blocks = blocks};
	for (uint32_t i = 1; i < distance; i++) {
		const bool counts = i == 1 && (index.advise & EROFS_ADVISE_BIG);
		*++entry = (struct entry){.type = TYPE_INSIDE,
			.number = (uint16_t)(counts ? BLOCK_COUNT | blocks : i),
			.ahead = (uint16_t)(distance - i)};
	}
}

/* Returns the entries; those after the last one are zeros, as many as a pack may need. */
static struct entry *expand_all(
	struct erofs_index index, const struct erofs_cluster *clusters, size_t n)
{
	struct entry *entries = require_memory(calloc(count(index) + 16, sizeof *entries));
	uint64_t at = 0;
	bool starts_last = false; /* the last cluster starts in the last 4 KiB */
	for (size_t i = 0; i < n; i++) {
		expand(index, &clusters[i], at, entries);
		starts_last = (at & NUMBER_MASK) + clusters[i].bytes < EROFS_BLOCK;
		at += clusters[i].bytes;
	}
	/* An index that starts no cluster shows where the last one ends. */
	if ((at & NUMBER_MASK) && !starts_last)
		entries[at >> EROFS_BLOCK_BITS] =
			(struct entry){.type = TYPE_RAW, .number = (uint16_t)(at & NUMBER_MASK)};
	return entries;
}

/*
 * The kernel adds up blocks from the start of the pack: without clusters of several blocks, one for
 * each cluster that starts in it, including the wanted one; with them, those of the clusters before
 * the wanted one, also those of a cluster that started before the pack if its count is in the pack.
 */
static uint32_t base_of(struct erofs_index index, const struct entry *pack, uint32_t next_block)
{
	if (!(index.advise & EROFS_ADVISE_BIG))
		return next_block - 1;
	const bool counts = pack->type == TYPE_INSIDE && (pack->number & BLOCK_COUNT);
	return next_block - (counts ? pack->number & ~(unsigned)BLOCK_COUNT : 0);
}

/* Writes a pack, and returns the number of the block after it. */
static uint32_t write_pack(struct erofs_index index, const struct entry *pack, bool is_large,
	uint32_t next_block, unsigned char *into)
{
	const unsigned n = is_large ? 16 : 2, bits = is_large ? 14 : 16;
	const uint32_t base = htole32(base_of(index, pack, next_block));
	for (unsigned i = 0; i < n; i++) {
		const struct entry *entry = &pack[i];
		const bool counts = entry->type == TYPE_INSIDE &&
			(index.advise & EROFS_ADVISE_BIG) && (entry->number & BLOCK_COUNT);
		const bool is_last = i + 1 == n && entry->type == TYPE_INSIDE;
		const unsigned number = is_last && !counts ? entry->ahead : entry->number,
			       value = (unsigned)entry->type << EROFS_BLOCK_BITS | number,
			       shifted = value << (i * bits % 8);
		unsigned char *at = into + i * bits / 8;
		for (unsigned byte = 0; byte < 3 && shifted >> (byte * 8); byte++)
			at[byte] |= (unsigned char)(shifted >> (byte * 8));
		next_block += entry->blocks;
	}
	memcpy(into + n * bits / 8, &base, sizeof base);
	return next_block;
}

void erofs_index_add(
	struct buf *out, struct erofs_index index, const struct erofs_cluster *clusters, size_t n)
{
	struct entry *const entries = expand_all(index, clusters, n);
	const struct entry *pack = entries;
	uint32_t next_block = 0;
	for (size_t at = 0, end = erofs_index_bytes(index); at < end;) {
		const bool is_large = is_large_pack(index, at);
		unsigned char bytes[LARGE_PACK] = {0};
		next_block = write_pack(index, pack, is_large, next_block, bytes);
		buf_add(out, bytes, is_large ? LARGE_PACK : SMALL_PACK);
		at += is_large ? LARGE_PACK : SMALL_PACK;
		pack += is_large ? 16 : 2;
	}
	free(entries);
}
