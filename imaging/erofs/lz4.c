/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/lz4.h"

#include <lz4.h>
#include <lz4hc.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "imaging/erofs/format.h"

enum {
	/*
	 * LZ4 stores zeros in 1/255 of their size, so a block holds a little more than 254 times as
	 * much: a segment of zeros fills its blocks.
	 */
	SEGMENT_BLOCKS = 2 * 254,
	LARGE_FACTOR = 4, /* of larger segments, for large clusters */
	LARGE_CLUSTER = 256 * 1024,
	/* the cost of compression for each 4 KiB, as mkfs.erofs estimates it */
	INDEX_COST = 8,
	PROBE_BYTES = 2 * EROFS_BLOCK,
	ZEROS_BLOCKS_MAX = 2 * LARGE_FACTOR,
};

struct erofs_lz4 {
	struct erofs_lz4_settings settings;
	LZ4_streamHC_t *high; /* NULL: not lz4hc */
	/* the result for a segment of zeros, which is the same each time */
	struct segment zeros;
	struct erofs_cluster zeros_clusters[ZEROS_BLOCKS_MAX];
	unsigned char zeros_data[ZEROS_BLOCKS_MAX * EROFS_BLOCK];
};

uint32_t erofs_lz4_segment_bytes(const struct erofs_lz4_settings *settings)
{
	const uint32_t factor = settings->cluster >= LARGE_CLUSTER ? LARGE_FACTOR : 1;
	return factor * SEGMENT_BLOCKS * EROFS_BLOCK;
}

static uint32_t block_up(uint32_t bytes)
{
	return (bytes + EROFS_BLOCK - 1) & ~(uint32_t)(EROFS_BLOCK - 1);
}

/* Clusters are not larger than their content, but one is compressed twice, and only then chosen. */
size_t erofs_lz4_memory(const struct erofs_lz4_settings *settings, uint32_t content_bytes)
{
	return (size_t)block_up(content_bytes) + 2 * (size_t)settings->cluster;
}

struct erofs_lz4 *erofs_lz4_new(const struct erofs_lz4_settings *settings)
{
	struct erofs_lz4 *lz4 = require_memory(calloc(1, sizeof *lz4));
	lz4->settings = *settings;
	if (settings->high)
		lz4->high = require_memory(LZ4_createStreamHC());
	return lz4;
}

void erofs_lz4_free(struct erofs_lz4 *lz4)
{
	if (lz4 && lz4->high)
		LZ4_freeStreamHC(lz4->high);
	free(lz4);
}

/* ---- clusters ---- */

struct state {
	struct erofs_lz4 *lz4;
	struct segment *segment;
	unsigned char *output;
	uint32_t at;   /* in the content */
	uint32_t used; /* of the output, whole blocks */
	bool inlines;  /* what is left at the end may become the tail */
};

/*
 * Compresses as much of the *content bytes as fits into `room`, and sets *content to their number.
 * Returns the compressed bytes; 0 or less: impossible.
 */
static int fill(struct erofs_lz4 *lz4, const unsigned char *from, int *content, unsigned char *into,
	uint32_t room)
{
	if (!lz4->high)
		return LZ4_compress_destSize((const char *)from, (char *)into, content, (int)room);
	/* LZ4_compress_HC_destSize gives the same bytes, but clears 256 KiB each time. */
	LZ4_resetStreamHC_fast(lz4->high, lz4->settings.level);
	return LZ4_compress_HC_continue_destSize(
		lz4->high, (const char *)from, (char *)into, content, (int)room);
}

static void add_cluster(struct state *state, uint32_t bytes, uint32_t blocks, bool raw)
{
	state->segment->clusters[state->segment->nclusters++] =
		(struct erofs_cluster){.bytes = bytes, .blocks = (uint16_t)blocks, .raw = raw};
	state->at += bytes;
	state->used += blocks * EROFS_BLOCK;
}

/* The tail ends the segment. */
static void add_tail(struct state *state, uint32_t bytes, uint32_t stored, bool raw)
{
	state->segment->tail_bytes = stored;
	add_cluster(state, bytes, 0, raw);
}

static void add_raw(struct state *state)
{
	const uint32_t left = state->segment->n - state->at,
		       bytes = left < EROFS_BLOCK ? left : EROFS_BLOCK;
	unsigned char *into = state->output + state->used;
	memcpy(into, state->segment->data + state->at, bytes);
	if (state->inlines && left <= EROFS_TAIL_MAX) {
		add_tail(state, left, left, true);
		return;
	}
	memset(into + bytes, 0, EROFS_BLOCK - bytes);
	add_cluster(state, bytes, 1, true);
}

/* The zeros are before the data (EROFS_FEATURE_ZERO_PADDING), so that it ends with the cluster. */
static void add_blocks(struct state *state, uint32_t bytes, uint32_t stored)
{
	unsigned char *into = state->output + state->used;
	const uint32_t padding = block_up(stored) - stored;
	if (padding) {
		memmove(into + padding, into, stored);
		memset(into, 0, padding);
	}
	add_cluster(state, bytes, block_up(stored) / EROFS_BLOCK, false);
}

/*
 * If the last cluster of the file does not fill its last block, its end may do as the tail. Then
 * the cluster is compressed again, into fewer blocks.
 */
static void shorten(struct state *state, uint32_t *bytes, uint32_t *stored)
{
	const uint32_t left = state->segment->n - state->at,
		       room = *stored & ~(uint32_t)(EROFS_BLOCK - 1);
	unsigned char *into = state->output + state->used,
		      *other = into + state->lz4->settings.cluster;
	int count = (int)left;
	const int got = fill(state->lz4, state->segment->data + state->at, &count, other, room);
	if (got <= 0 || (uint32_t)got + (left - (uint32_t)count) >= block_up(*stored) ||
		(uint32_t)count <= block_up((uint32_t)got))
		return;
	memcpy(into, other, (size_t)got);
	*bytes = (uint32_t)count;
	*stored = (uint32_t)got;
}

/*
 * Whether the content that follows does not shrink either. Lz4hc takes ten times as long as LZ4 to
 * find that out.
 */
static bool stays_raw(const struct state *state, uint32_t left)
{
	const struct segment *segment = state->segment;
	if (!state->lz4->high || left < PROBE_BYTES || segment->nclusters == 0 ||
		!segment->clusters[segment->nclusters - 1].raw)
		return false;
	int count = PROBE_BYTES;
	return LZ4_compress_destSize((const char *)segment->data + state->at,
		       (char *)state->output + state->used, &count, EROFS_BLOCK) > 0 &&
		count <= EROFS_BLOCK;
}

static void add_next(struct state *state)
{
	const uint32_t left = state->segment->n - state->at;
	if ((left <= EROFS_BLOCK && !state->inlines) || stays_raw(state, left)) {
		add_raw(state);
		return;
	}
	int count = (int)left;
	const int got = fill(state->lz4, state->segment->data + state->at, &count,
		state->output + state->used, state->lz4->settings.cluster);
	uint32_t bytes = (uint32_t)count, stored = got > 0 ? (uint32_t)got : UINT32_MAX / 2;
	const bool ends = state->inlines && bytes == left;
	const bool is_tail = ends && stored <= EROFS_TAIL_MAX;
	if (bytes <= (is_tail ? stored : block_up(stored))) {
		add_raw(state);
	} else if (is_tail) {
		add_tail(state, bytes, stored, false);
	} else {
		if (ends && stored % EROFS_BLOCK && stored > EROFS_BLOCK)
			shorten(state, &bytes, &stored);
		add_blocks(state, bytes, stored);
	}
}

/* ---- segments ---- */

static void store_flat(struct segment *segment)
{
	segment->flat = true;
	segment->blocks = segment->n / EROFS_BLOCK;
	segment->tail_bytes = segment->n % EROFS_BLOCK;
	segment->nclusters = 0;
	for (uint32_t i = 0; i < segment->blocks; i++)
		segment->clusters[segment->nclusters++] =
			(struct erofs_cluster){.bytes = EROFS_BLOCK, .blocks = 1, .raw = true};
	if (segment->tail_bytes)
		segment->clusters[segment->nclusters++] =
			(struct erofs_cluster){.bytes = segment->tail_bytes, .raw = true};
}

static bool compress(struct erofs_lz4 *lz4, struct segment *segment, unsigned char *output)
{
	struct state state = {.lz4 = lz4,
		.segment = segment,
		.output = output,
		.inlines = lz4->settings.tails && segment->is_last};
	segment->flat = false;
	segment->nclusters = segment->tail_bytes = 0;
	while (state.at < segment->n)
		add_next(&state);
	segment->blocks = state.used / EROFS_BLOCK;
	const uint32_t cost =
		state.used + segment->tail_bytes + block_up(segment->n) / EROFS_BLOCK * INDEX_COST;
	if (cost < segment->n)
		return true;
	store_flat(segment);
	return false;
}

static bool is_zero(const unsigned char *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* A whole segment of zeros that does not end its file. */
static void compress_zeros(struct erofs_lz4 *lz4, struct segment *segment, unsigned char *output)
{
	struct segment *zeros = &lz4->zeros;
	if (!zeros->n) {
		*zeros = (struct segment){.n = segment->n, .clusters = segment->clusters};
		zeros->data = require_memory(calloc(1, segment->n));
		compress(lz4, zeros, output);
		free(zeros->data);
		zeros->clusters = lz4->zeros_clusters;
		memcpy(zeros->clusters, segment->clusters,
			zeros->nclusters * sizeof *zeros->clusters);
		memcpy(lz4->zeros_data, output, (size_t)zeros->blocks * EROFS_BLOCK);
	}
	segment->flat = false;
	segment->blocks = zeros->blocks;
	segment->tail_bytes = 0;
	segment->nclusters = zeros->nclusters;
	memcpy(segment->clusters, zeros->clusters, zeros->nclusters * sizeof *zeros->clusters);
	memcpy(output, lz4->zeros_data, (size_t)zeros->blocks * EROFS_BLOCK);
}

bool erofs_lz4_compress(struct erofs_lz4 *lz4, struct segment *segment, unsigned char *output)
{
	const bool is_whole =
		!segment->is_last && segment->n == erofs_lz4_segment_bytes(&lz4->settings);
	if (segment->is_zeros || (is_whole && is_zero(segment->data, segment->n))) {
		compress_zeros(lz4, segment, output);
		return true;
	}
	return compress(lz4, segment, output);
}
