/* SPDX-License-Identifier: MIT */
/* The compression of files for erofs, and their indexes, which are read as the kernel reads them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <endian.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "imaging/erofs/format.h"
#include "imaging/erofs/lz4.h"

enum { MAX_INDEXES = 3000, COUNT = 0x800 };

static uint32_t random_number(void)
{
	static uint64_t state = 1;
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33);
}

/* ---- indexes ---- */

struct pack {
	const unsigned char *p;
	unsigned n, bits;
};

/* Finds the pack of an index, as fs/erofs/zmap.c does, and returns the index's number in it. */
static unsigned pack_of(const unsigned char *packs, uint64_t total, uint64_t i, struct pack *out)
{
	const uint64_t leading = total > 6 ? 6 : total, large = (total - leading) / 16 * 16;
	if (i < leading || total <= 6) {
		*out = (struct pack){packs + i / 2 * 8, 2, 16};
		return (unsigned)(i % 2);
	}
	i -= leading;
	packs += leading / 2 * 8;
	if (i < large) {
		*out = (struct pack){packs + i / 16 * 32, 16, 14};
		return (unsigned)(i % 16);
	}
	i -= large;
	*out = (struct pack){packs + large / 16 * 32 + i / 2 * 8, 2, 16};
	return (unsigned)(i % 2);
}

static unsigned value_of(const struct pack *pack, unsigned i, unsigned *number)
{
	uint32_t four;
	memcpy(&four, pack->p + i * pack->bits / 8, sizeof four);
	const unsigned value = le32toh(four) >> (i * pack->bits % 8);
	*number = value & 0xfff;
	return value >> 12 & 3;
}

/* Returns the block of the cluster that starts at index `i` of the pack. */
static uint32_t block_of(const struct pack *pack, int i, bool big)
{
	uint32_t blocks = big ? 0 : 1, base;
	while (i > 0) {
		unsigned number;
		const unsigned type = value_of(pack, (unsigned)--i, &number);
		if (type != 2) {
			blocks++;
		} else if (!big) {
			i -= (int)number;
			blocks += i >= 0;
		} else if (number & COUNT) {
			i--;
			blocks += number & ~(unsigned)COUNT;
		} else {
			assert_true(number > 1);
			i -= (int)number - 2;
		}
	}
	memcpy(&base, pack->p + pack->n * pack->bits / 8, sizeof base);
	return le32toh(base) + blocks;
}

static void assert_cluster(const unsigned char *packs, uint64_t total, uint64_t at, bool big,
	const struct erofs_cluster *cluster, uint32_t block)
{
	struct pack pack;
	unsigned number;
	const uint64_t first = at / EROFS_BLOCK,
		       distance = (at % EROFS_BLOCK + cluster->bytes) / EROFS_BLOCK;
	unsigned i = pack_of(packs, total, first, &pack);
	assert_int_equal(value_of(&pack, i, &number), cluster->raw ? 0 : 1);
	assert_int_equal(number, at % EROFS_BLOCK);
	if (cluster->blocks)
		assert_int_equal(block_of(&pack, (int)i, big), block);
	for (uint64_t d = 1; d < distance; d++) {
		i = pack_of(packs, total, first + d, &pack);
		assert_int_equal(value_of(&pack, i, &number), 2);
		if (big && d == 1)
			assert_int_equal(number, COUNT | (cluster->blocks ? cluster->blocks : 1));
		else
			assert_int_equal(number, i + 1 == pack.n ? distance - d : d);
	}
}

static size_t make_clusters(struct erofs_cluster *clusters, bool big, uint64_t *size)
{
	const size_t n = 1 + random_number() % 60;
	*size = 0;
	for (size_t i = 0; i < n; i++) {
		const uint16_t blocks = big ? (uint16_t)(1 + random_number() % 16) : 1;
		const bool raw = random_number() % 4 == 0;
		clusters[i] = (struct erofs_cluster){.bytes = raw
				? EROFS_BLOCK
				: blocks * EROFS_BLOCK + 1 + random_number() % 150000,
			.blocks = raw ? 1 : blocks,
			.raw = raw};
		*size += clusters[i].bytes;
	}
	if (random_number() % 2) {
		clusters[n - 1].blocks = 0;
		*size -= clusters[n - 1].bytes;
		clusters[n - 1].bytes = 1 + random_number() % 6000;
		*size += clusters[n - 1].bytes;
	}
	return n;
}

static void indexes_are_read_as_by_the_kernel(void **state)
{
	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct erofs_cluster clusters[64];
		struct buf packs = {0};
		const bool big = round % 2;
		uint64_t size, at = 0;
		uint32_t block = 0;
		const size_t n = make_clusters(clusters, big, &size);
		const bool has_tail = clusters[n - 1].blocks == 0;
		const struct erofs_index index = {size,
			(uint16_t)(EROFS_ADVISE_2B | (big ? EROFS_ADVISE_BIG : 0) |
				(has_tail ? EROFS_ADVISE_INLINE : 0))};
		erofs_index_add(&packs, index, clusters, n);
		assert_int_equal(packs.n, erofs_index_bytes(index));
		const uint64_t total = (size + EROFS_BLOCK - 1) / EROFS_BLOCK;
		for (size_t i = 0; i < n; i++) {
			assert_cluster((const void *)packs.p, total, at, big, &clusters[i], block);
			at += clusters[i].bytes;
			block += clusters[i].blocks;
		}
		assert_int_equal(erofs_index_blocks(index, (const void *)packs.p), block);
		buf_free(&packs);
	}
}

/* ---- compression ---- */

static const struct erofs_lz4_settings ways[] = {{false, 0, 4096, true}, {true, 9, 4096, true},
	{true, 9, 4096, false}, {true, 3, 16384, true}, {false, 0, 65536, false},
	{true, 12, 65536, true}, {false, 0, 1 << 20, true}};

/* Text, random bytes and zeros, in pieces of different lengths. */
static void make_content(unsigned char *p, uint32_t n)
{
	for (uint32_t at = 0, end; at < n; at = end) {
		const unsigned kind = random_number() % 3;
		end = at + 1 + random_number() % (random_number() % 2 ? 200000 : 9000);
		end = end < n ? end : n;
		memset(p + at, 0, end - at);
		for (uint32_t i = at; kind && i < end; i++) {
			const uint32_t number = random_number();
			p[i] = kind == 1 ? (unsigned char)number
					 : (unsigned char)"a word"[number % 6];
		}
	}
}

static void assert_decompresses(
	const unsigned char *from, size_t stored, const unsigned char *content, uint32_t bytes)
{
	unsigned char *out = require_memory(malloc(bytes));
	while (stored && !*from)
		from++, stored--;
	assert_int_equal(LZ4_decompress_safe_partial((const char *)from, (char *)out, (int)stored,
				 (int)bytes, (int)bytes),
		bytes);
	assert_memory_equal(out, content, bytes);
	free(out);
}

static void assert_segment(const struct erofs_lz4_settings *settings, const struct segment *segment,
	const unsigned char *content)
{
	const unsigned char *stored = segment->data;
	uint32_t at = 0, blocks = 0;
	for (size_t i = 0; i < segment->nclusters; i++) {
		const struct erofs_cluster *cluster = &segment->clusters[i];
		const size_t bytes = cluster->blocks ? (size_t)cluster->blocks * EROFS_BLOCK
						     : segment->tail_bytes;
		assert_true(bytes <= settings->cluster);
		assert_true(cluster->blocks || i + 1 == segment->nclusters);
		if (cluster->raw)
			assert_memory_equal(stored, content + at, cluster->bytes);
		else
			assert_decompresses(stored, bytes, content + at, cluster->bytes);
		if (cluster->raw && i + 1 < segment->nclusters)
			assert_int_equal(cluster->bytes, EROFS_BLOCK);
		if (!cluster->raw)
			assert_true(cluster->bytes > bytes);
		stored += bytes;
		at += cluster->bytes;
		blocks += cluster->blocks;
	}
	assert_int_equal(at, segment->n);
	assert_int_equal(blocks, segment->blocks);
	if (!segment->flat) {
		assert_true(segment->tail_bytes <= EROFS_TAIL_MAX);
		assert_true(!segment->tail_bytes || (settings->tails && segment->is_last));
	}
}

struct memory {
	unsigned char *content, *data, *output;
	struct erofs_cluster clusters[MAX_INDEXES];
};

static struct memory *memory_new(const struct erofs_lz4_settings *settings)
{
	struct memory *memory = require_memory(calloc(1, sizeof *memory));
	const uint32_t most = erofs_lz4_segment_bytes(settings);
	memory->content = require_memory(malloc(most));
	memory->data = require_memory(malloc(erofs_lz4_memory(settings, most)));
	memory->output = require_memory(malloc(erofs_lz4_memory(settings, most)));
	return memory;
}

static void memory_free(struct memory *memory)
{
	free(memory->content);
	free(memory->data);
	free(memory->output);
	free(memory);
}

static struct segment compress(
	struct erofs_lz4 *lz4, struct memory *memory, uint32_t n, bool is_last)
{
	struct segment segment = {
		.data = memory->data, .n = n, .is_last = is_last, .clusters = memory->clusters};
	memcpy(memory->data, memory->content, n);
	if (erofs_lz4_compress(lz4, &segment, memory->output))
		segment.data = memory->output;
	return segment;
}

static void segments_can_be_decompressed(void **state)
{
	static const uint32_t sizes[] = {1, 2, 100, 4063, 4064, 4065, 4095, 4096, 4097, 8191, 8192,
		8193, 12288, 40000, 65535, 65536, 131072, 300001};
	(void)state;
	for (size_t way = 0; way < countof(ways); way++) {
		struct memory *memory = memory_new(&ways[way]);
		struct erofs_lz4 *lz4 = erofs_lz4_new(&ways[way]);
		for (size_t i = 0; i < countof(sizes) * 8; i++) {
			const uint32_t n = i < countof(sizes) * 7 ? sizes[i % countof(sizes)]
								  : 1 + random_number() % 200000;
			make_content(memory->content, n);
			const struct segment segment = compress(lz4, memory, n, true);
			assert_segment(&ways[way], &segment, memory->content);
		}
		const uint32_t most = erofs_lz4_segment_bytes(&ways[way]);
		make_content(memory->content, most);
		const struct segment segment = compress(lz4, memory, most, false);
		assert_segment(&ways[way], &segment, memory->content);
		assert_int_equal(segment.tail_bytes, 0);
		erofs_lz4_free(lz4);
		memory_free(memory);
	}
}

/* The state that lz4hc keeps from the segment before does not change the bytes. */
static void bytes_do_not_depend_on_earlier_ones(void **state)
{
	const struct erofs_lz4_settings *settings = &ways[1];
	struct memory *memory = memory_new(settings), *other = memory_new(settings);
	struct erofs_lz4 *used = erofs_lz4_new(settings);
	(void)state;
	for (int i = 0; i < 40; i++) {
		const uint32_t n = 1 + random_number() % 400000;
		struct erofs_lz4 *fresh = erofs_lz4_new(settings);
		make_content(memory->content, n);
		memcpy(other->content, memory->content, n);
		const struct segment one = compress(used, memory, n, true),
				     two = compress(fresh, other, n, true);
		assert_int_equal(one.blocks, two.blocks);
		assert_int_equal(one.tail_bytes, two.tail_bytes);
		assert_memory_equal(
			one.data, two.data, (size_t)one.blocks * EROFS_BLOCK + one.tail_bytes);
		erofs_lz4_free(fresh);
	}
	erofs_lz4_free(used);
	memory_free(memory);
	memory_free(other);
}

static void zeros_fill_their_blocks(void **state)
{
	(void)state;
	for (size_t way = 0; way < countof(ways); way++) {
		const uint32_t most = erofs_lz4_segment_bytes(&ways[way]);
		struct memory *memory = memory_new(&ways[way]), *hole = memory_new(&ways[way]);
		struct erofs_lz4 *lz4 = erofs_lz4_new(&ways[way]),
				 *other = erofs_lz4_new(&ways[way]);
		memset(memory->content, 0, most);
		const struct segment zeros = compress(lz4, memory, most, false);
		assert_segment(&ways[way], &zeros, memory->content);
		assert_int_equal(zeros.blocks, most / (254 * EROFS_BLOCK));
		for (int i = 0; i < 2; i++) {
			struct segment segment = {.data = hole->data,
				.n = most,
				.is_zeros = true,
				.clusters = hole->clusters};
			assert_true(erofs_lz4_compress(other, &segment, hole->output));
			assert_int_equal(segment.blocks, zeros.blocks);
			assert_int_equal(segment.nclusters, zeros.nclusters);
			assert_memory_equal(
				hole->output, memory->output, (size_t)zeros.blocks * EROFS_BLOCK);
		}
		erofs_lz4_free(lz4);
		erofs_lz4_free(other);
		memory_free(memory);
		memory_free(hole);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(indexes_are_read_as_by_the_kernel),
		cmocka_unit_test(segments_can_be_decompressed),
		cmocka_unit_test(bytes_do_not_depend_on_earlier_ones),
		cmocka_unit_test(zeros_fill_their_blocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
