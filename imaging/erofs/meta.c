/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/meta.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "imaging/disk/writer.h"
#include "imaging/erofs/format.h"

enum {
	OPEN_BLOCKS_MAX = 64, /* most blocks with free space that are remembered */
	ROOM_MIN = 64,        /* bytes; less free space is ignored */
};

struct block {
	uint64_t place;
	uint32_t used;
};

/* A block of an earlier object, kept in memory. */
struct kept_block {
	uint64_t place;
	bool written; /* its present contents were written */
	unsigned char bytes[EROFS_BLOCK];
};

struct erofs_meta {
	struct image_writer *image;
	uint64_t start;       /* of the new blocks */
	unsigned char *fresh; /* contents of the new blocks */
	size_t n, capacity;
	struct block open[OPEN_BLOCKS_MAX];
	size_t nopen;
	struct kept_block kept[OPEN_BLOCKS_MAX];
	size_t nkept;
};

struct erofs_meta *erofs_meta_new(struct image_writer *image)
{
	struct erofs_meta *meta = require_memory(calloc(1, sizeof *meta));
	meta->image = image;
	return meta;
}

void erofs_meta_free(struct erofs_meta *meta)
{
	if (meta)
		free(meta->fresh);
	free(meta);
}

void erofs_meta_begin(struct erofs_meta *meta, uint64_t start)
{
	meta->start = start;
	meta->n = 0;
}

uint64_t erofs_meta_bytes(const struct erofs_meta *meta)
{
	return meta->n;
}

/* ---- allocation ---- */

static uint32_t slot_up(uint32_t at)
{
	return (at + EROFS_SLOT - 1) & ~(uint32_t)(EROFS_SLOT - 1);
}

static void open_add(struct erofs_meta *meta, struct block block)
{
	if (EROFS_BLOCK - block.used < ROOM_MIN)
		return;
	size_t fullest = 0;
	if (meta->nopen < OPEN_BLOCKS_MAX) {
		meta->open[meta->nopen++] = block;
		return;
	}
	for (size_t i = 1; i < meta->nopen; i++)
		if (meta->open[i].used > meta->open[fullest].used)
			fullest = i;
	if (block.used < meta->open[fullest].used)
		meta->open[fullest] = block;
}

static uint64_t place_in_open(struct erofs_meta *meta, size_t index, uint32_t bytes)
{
	struct block *block = &meta->open[index];
	const uint32_t at = slot_up(block->used);
	const uint64_t place = block->place + at;
	block->used = at + bytes;
	if (EROFS_BLOCK - block->used < ROOM_MIN)
		*block = meta->open[--meta->nopen];
	return place;
}

/* Returns the place of the first of `count` new, zeroed blocks. */
static uint64_t fresh_blocks(struct erofs_meta *meta, size_t count)
{
	const size_t bytes = count * EROFS_BLOCK, at = meta->n;
	if (meta->capacity - meta->n < bytes) {
		meta->capacity = (meta->n + bytes) * 2;
		meta->fresh = require_memory(realloc(meta->fresh, meta->capacity));
	}
	memset(meta->fresh + at, 0, bytes);
	meta->n += bytes;
	return meta->start + at;
}

static uint64_t place_in_fresh(struct erofs_meta *meta, uint64_t bytes, uint32_t tail)
{
	uint64_t skip = 0;
	while (tail && (skip + bytes - tail) % EROFS_BLOCK + tail > EROFS_BLOCK)
		skip += EROFS_SLOT;
	const uint64_t end = skip + bytes, blocks = (end + EROFS_BLOCK - 1) / EROFS_BLOCK;
	const uint64_t place = fresh_blocks(meta, (size_t)blocks);
	if (end % EROFS_BLOCK)
		open_add(meta,
			(struct block){
				place + (blocks - 1) * EROFS_BLOCK, (uint32_t)(end % EROFS_BLOCK)});
	return place + skip;
}

uint64_t erofs_meta_place(struct erofs_meta *meta, uint64_t bytes, uint32_t tail)
{
	size_t best = meta->nopen;
	for (size_t i = 0; bytes <= EROFS_BLOCK && i < meta->nopen; i++) {
		const bool fits = slot_up(meta->open[i].used) + bytes <= EROFS_BLOCK;
		if (fits && (best == meta->nopen || meta->open[i].used > meta->open[best].used))
			best = i;
	}
	return best < meta->nopen ? place_in_open(meta, best, (uint32_t)bytes)
				  : place_in_fresh(meta, bytes, tail);
}

/* ---- contents ---- */

unsigned char *erofs_meta_at(struct erofs_meta *meta, uint64_t place)
{
	if (place >= meta->start && place - meta->start < meta->n)
		return meta->fresh + (place - meta->start);
	const uint64_t block = place & ~(uint64_t)(EROFS_BLOCK - 1);
	size_t i = 0;
	while (meta->kept[i].place != block)
		i++;
	meta->kept[i].written = false;
	return meta->kept[i].bytes + (place - block);
}

static bool is_open(const struct erofs_meta *meta, uint64_t place)
{
	size_t i = 0;
	while (i < meta->nopen && meta->open[i].place != place)
		i++;
	return i < meta->nopen;
}

/* Writes changed blocks, and drops those that are not open any more. */
static bool kept_write(struct erofs_meta *meta, bool all)
{
	size_t n = 0;
	for (size_t i = 0; i < meta->nkept; i++) {
		struct kept_block *kept = &meta->kept[i];
		const bool stays = !all && is_open(meta, kept->place);
		if (!stays && !kept->written &&
			!image_writer_put(meta->image, kept->bytes, EROFS_BLOCK, kept->place))
			return false;
		if (stays && n++ != i)
			meta->kept[n - 1] = *kept;
	}
	meta->nkept = n;
	return true;
}

bool erofs_meta_end(struct erofs_meta *meta)
{
	if (!kept_write(meta, false) ||
		!image_writer_put(meta->image, meta->fresh, meta->n, meta->start))
		return false;
	for (size_t i = 0; i < meta->nopen; i++) {
		const uint64_t place = meta->open[i].place;
		if (place < meta->start)
			continue;
		struct kept_block *kept = &meta->kept[meta->nkept++];
		kept->place = place;
		kept->written = true;
		memcpy(kept->bytes, meta->fresh + (place - meta->start), EROFS_BLOCK);
	}
	return true;
}

bool erofs_meta_finish(struct erofs_meta *meta)
{
	return kept_write(meta, true);
}
