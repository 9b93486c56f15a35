/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/pack_lz4.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "base/holes.h"
#include "base/plain_file.h"
#include "imaging/cache/known.h"
#include "imaging/erofs/format.h"
#include "imaging/erofs/record.h"

enum {
	LZ4_ALGORITHM = 1,    /* its bit in the super block */
	LZ4_DISTANCE = 65535, /* most bytes between a match and its original */
	/* bytes of LZ4's configuration: distance, blocks of a cluster, 10 of zeros */
	LZ4_CONFIG = 14,
	/* A smaller file is often stored beside its inode, where it cannot be shared. */
	KNOWN_MIN = EROFS_BLOCK,
};

/* A content of the object, once it is stored. */
struct content {
	uint64_t size, start, hash;
	uint64_t at; /* of the packs and the tail, in `details` */
	uint32_t layout, blocks, index_bytes, tail_bytes;
};

struct lz4_packing {
	struct packing common; /* must be first: pointers to both are converted */
	struct segment_pool *pool;
	const struct erofs_lz4_settings *settings;
	size_t pending; /* segments submitted and not stored */
	struct known_files known;
	struct arena *arena;
	VEC(struct content) contents; /* in the order of submission */
	struct buf details;

	/* the content that is being stored */
	size_t storing;
	struct buf clusters;
	uint64_t blocks;
	bool compressed; /* a segment is not flat */
	XXH3_state_t *hash;
};

static struct lz4_packing *as_lz4(struct packing *packing)
{
	return (void *)packing;
}

static bool is_complete(const struct packing *packing)
{
	return packing->walked && ((const struct lz4_packing *)(const void *)packing)->pending == 0;
}

/* ---- records ---- */

static void fill_record(struct lz4_packing *p, const struct object_record *record, struct buf *out)
{
	struct object_file file = *object_record_file(record);
	struct erofs_content content = {.size = file.size, .layout = EROFS_PLAIN};
	if (file.size) {
		const struct content *stored = &p->contents.v[file.unused];
		const unsigned char *details = (const void *)(p->details.p + stored->at);
		file.start = stored->start;
		file.hash = stored->hash;
		content.layout = stored->layout;
		content.blocks = stored->blocks;
		content.index = details;
		content.index_bytes = stored->index_bytes;
		content.tail = details + stored->index_bytes;
		content.tail_bytes = stored->tail_bytes;
	}
	if (!content.blocks)
		file.start = file.hash = 0;
	file.unused = 0;
	erofs_record_add(out, *record, &file, object_record_name(record), &content);
}

/* Puts contents into the records of the walk, which are viewed as an object's. */
static void fill_records(struct lz4_packing *p)
{
	const struct object walked = {.footer.records_bytes = p->common.records.n,
		.records = (const void *)p->common.records.p};
	struct buf out = {0};
	for (const struct object_record *record = NULL; (record = object_next(&walked, record));) {
		if (record->type == OBJECT_FILE)
			fill_record(p, record, &out);
		else
			buf_add(&out, record, object_record_bytes(record));
	}
	buf_free(&p->common.records);
	p->common.records = out;
}

static struct erofs_setup setup_of(const struct erofs_lz4_settings *settings)
{
	struct erofs_setup setup = {
		.features = EROFS_FEATURE_ZERO_PADDING, .algorithms = LZ4_DISTANCE};
	if (settings->cluster == EROFS_BLOCK)
		return setup;
	const uint16_t config[] = {htole16(LZ4_CONFIG), htole16(LZ4_DISTANCE),
		htole16((uint16_t)(settings->cluster / EROFS_BLOCK))};
	setup.features |= EROFS_FEATURE_COMPR_CFGS;
	setup.algorithms = LZ4_ALGORITHM;
	setup.config_bytes = sizeof(uint16_t) + LZ4_CONFIG;
	memcpy(setup.config, config, sizeof config);
	return setup;
}

/* Called once, when it has been walked and everything is stored. */
static void complete(struct lz4_packing *p)
{
	const struct erofs_setup setup = setup_of(p->settings);
	fill_records(p);
	if (p->contents.n)
		memcpy(p->common.setup, &setup, sizeof setup);
}

/* ---- storing ---- */

/* The tail of a flat segment needs a block unless the layout of the file has a place for it. */
static void settle_tail(const struct lz4_packing *p, struct segment *segment)
{
	if (!segment->flat || !segment->tail_bytes)
		return;
	const bool has_place = !p->compressed || p->settings->tails;
	if (has_place && segment->tail_bytes <= EROFS_TAIL_MAX)
		return;
	memset(segment->data + segment->n, 0, EROFS_BLOCK - segment->tail_bytes);
	segment->clusters[segment->nclusters - 1].blocks = 1;
	segment->blocks++;
	segment->tail_bytes = 0;
}

static void add_index(struct lz4_packing *p, struct content *content)
{
	const uint16_t advise = (uint16_t)(EROFS_ADVISE_2B |
		(p->settings->cluster > EROFS_BLOCK ? EROFS_ADVISE_BIG : 0) |
		(content->tail_bytes ? EROFS_ADVISE_INLINE : 0));
	const struct erofs_map_header header = {
		.tail_bytes = htole16((uint16_t)content->tail_bytes), .advise = htole16(advise)};
	buf_add(&p->details, &header, sizeof header);
	erofs_index_add(&p->details, (struct erofs_index){content->size, advise},
		(const void *)p->clusters.p, p->clusters.n / sizeof(struct erofs_cluster));
	content->index_bytes = (uint32_t)(p->details.n - content->at);
}

static void end_content(struct lz4_packing *p, const struct segment *last)
{
	struct content *content = &p->contents.v[p->storing++];
	content->hash = XXH3_64bits_digest(p->hash);
	content->blocks = (uint32_t)p->blocks;
	content->tail_bytes = last->tail_bytes;
	content->at = p->details.n;
	content->layout = p->compressed ? EROFS_COMPRESSED
		: content->tail_bytes   ? EROFS_INLINE
					: EROFS_PLAIN;
	if (p->compressed)
		add_index(p, content);
	buf_add(&p->details, last->data + (size_t)last->blocks * EROFS_BLOCK, last->tail_bytes);
}

static void begin_content(struct lz4_packing *p)
{
	p->contents.v[p->storing].start = p->common.data_bytes;
	p->clusters.n = 0;
	p->blocks = 0;
	p->compressed = false;
	XXH3_64bits_reset(p->hash);
}

bool erofs_lz4_packing_store(
	struct segment_pool *pool, struct diag *diag, struct pooled_segment *pooled)
{
	struct lz4_packing *p = pooled->owner;
	struct segment *segment = &pooled->segment;
	if (p->clusters.n == 0)
		begin_content(p);
	p->compressed |= !segment->flat;
	settle_tail(p, segment);
	const size_t bytes = (size_t)segment->blocks * EROFS_BLOCK;
	const bool ok = packing_write(&p->common, diag, segment->data, bytes);
	XXH3_64bits_update(p->hash, segment->data, bytes);
	buf_add(&p->clusters, segment->clusters, segment->nclusters * sizeof *segment->clusters);
	p->blocks += segment->blocks;
	if (segment->is_last) {
		end_content(p, segment);
		p->clusters.n = 0;
	}
	p->pending--;
	segment_release(pool, pooled);
	if (is_complete(&p->common))
		complete(p);
	return ok;
}

/* ---- reading ---- */

static struct pooled_segment *take(
	struct lz4_packing *p, struct diag *diag, uint32_t bytes, bool is_zeros)
{
	for (;;) {
		struct pooled_segment *pooled = segment_take(p->pool, bytes, is_zeros);
		if (pooled)
			return pooled;
		if (!erofs_lz4_packing_store(p->pool, diag, segment_retire(p->pool, true)))
			return NULL;
	}
}

static void submit(struct lz4_packing *p, struct pooled_segment *pooled)
{
	const uint32_t bytes = pooled->segment.n;
	pooled->owner = p;
	p->pending++;
	segment_submit(p->pool, pooled);
	packing_progress(&p->common, bytes);
}

/* Gives zeros to the walk. */
static void feed_zeros(struct lz4_packing *p, uint32_t bytes)
{
	static const unsigned char zeros[64 * 1024];
	for (uint32_t part; bytes; bytes -= part) {
		part = bytes < sizeof zeros ? bytes : (uint32_t)sizeof zeros;
		store_walk_content(&p->common.walk, zeros, part);
	}
}

/* Reads one byte more than expected of the last segment, to detect that the file has grown. */
static bool fill(struct lz4_packing *p, struct holes *holes, uint64_t at, struct segment *segment)
{
	if (segment->is_zeros) {
		feed_zeros(p, segment->n);
		return true;
	}
	if (holes_has(holes, segment->n, at)) {
		memset(segment->data, 0, segment->n);
	} else {
		const ssize_t got = fd_read_most(
			holes->fd, segment->data, (size_t)segment->n + segment->is_last, (off_t)at);
		if (got < 0)
			return store_walk_failed(&p->common.walk);
		if (got != (ssize_t)segment->n)
			return store_walk_changed(&p->common.walk);
	}
	store_walk_content(&p->common.walk, segment->data, segment->n);
	return true;
}

/* Takes a segment and fills it with what is at `at` in the file. */
static struct pooled_segment *read_segment(
	struct lz4_packing *p, struct diag *diag, struct holes *holes, uint64_t at)
{
	const uint32_t whole = erofs_lz4_segment_bytes(p->settings);
	const bool is_last = holes->size - at <= whole;
	const uint32_t bytes = is_last ? (uint32_t)(holes->size - at) : whole;
	/*
	 * The last one is always read, so that a file that was truncated is noticed; the first one
	 * is filled in for find_content.
	 */
	struct pooled_segment *pooled =
		take(p, diag, bytes, at && !is_last && holes_has(holes, bytes, at));
	if (!pooled)
		return NULL;
	pooled->segment.is_last = is_last;
	if (fill(p, holes, at, &pooled->segment))
		return pooled;
	segment_release(p->pool, pooled);
	return NULL;
}

/* A file's record; `content` is its number, which `fill_records` looks up. */
static uint64_t add_record(struct lz4_packing *p, struct object_record record, uint64_t size,
	size_t content, const char *name)
{
	const struct object_file file = {.size = size,
		.fragment = OBJECT_NO_FRAGMENT,
		.original = OBJECT_OWN_CONTENT,
		.unused = (uint32_t)content};
	const uint64_t at = packing_record_begin(&p->common, record, &file, name);
	packing_record_end(&p->common);
	return at;
}

/* Returns the number of the content if another file has the same, else SIZE_MAX. */
static size_t find_content(struct lz4_packing *p, const struct holes *holes,
	const struct segment *first, uint64_t hash)
{
	if (holes->size < KNOWN_MIN)
		return SIZE_MAX;
	const uint32_t original =
		known_find(&p->known, hash, holes->fd, first->data, first->n, holes->size);
	if (original == OBJECT_OWN_CONTENT)
		return SIZE_MAX;
	const struct object_record *record =
		(const void *)(p->common.records.p + (uint64_t)original * 8);
	return object_record_file(record)->unused;
}

/* Of the first block and the size: files with the same are compared. */
static uint64_t start_hash(const struct segment *first, uint64_t size)
{
	const uint32_t n = first->n < EROFS_BLOCK ? first->n : EROFS_BLOCK;
	return XXH3_64bits_withSeed(first->data, n, size);
}

static bool submit_file(
	struct lz4_packing *p, struct diag *diag, struct holes *holes, struct pooled_segment *first)
{
	const uint32_t whole = erofs_lz4_segment_bytes(p->settings);
	struct pooled_segment *pooled = first;
	for (uint64_t at = 0;;) {
		submit(p, pooled);
		at += whole;
		if (at >= holes->size)
			return true;
		pooled = read_segment(p, diag, holes, at);
		if (!pooled)
			return false;
	}
}

static bool add_file(struct packing *packing, struct diag *diag, int fd,
	struct object_record record, uint64_t size, const char *name)
{
	struct lz4_packing *p = as_lz4(packing);
	if (!size) {
		add_record(p, record, size, 0, name);
		return true;
	}
	struct holes holes = holes_of(fd, size);
	struct pooled_segment *first = read_segment(p, diag, &holes, 0);
	if (!first)
		return false;
	const uint64_t hash = start_hash(&first->segment, size);
	const size_t same = find_content(p, &holes, &first->segment, hash);
	if (same != SIZE_MAX) {
		segment_release(p->pool, first);
		add_record(p, record, size, same, name);
		return true;
	}
	const uint64_t at = add_record(p, record, size, p->contents.n, name);
	if (size >= KNOWN_MIN)
		known_add(&p->known, hash, at);
	vec_push(p->arena, &p->contents, (struct content){.size = size});
	return submit_file(p, diag, &holes, first);
}

/* ---- interface ---- */

static void enter_directory(struct packing *packing, uint32_t number)
{
	known_enter_directory(&as_lz4(packing)->known, number);
}

static void packing_free(struct packing *packing)
{
	struct lz4_packing *p = as_lz4(packing);
	known_free(&p->known);
	packing_release(packing);
	buf_free(&p->details);
	buf_free(&p->clusters);
	arena_free(p->arena);
	XXH3_freeState(p->hash);
	free(p);
}

struct packing *erofs_lz4_packing_new(struct segment_pool *pool,
	const struct erofs_lz4_settings *settings, const struct packing_request *request)
{
	struct lz4_packing *p = require_memory(calloc(1, sizeof *p));
	packing_init(&p->common, request);
	p->common.add_file = add_file;
	p->common.enter_directory = enter_directory;
	p->common.is_complete = is_complete;
	p->common.free = packing_free;
	known_begin(&p->known, &p->common, erofs_lz4_segment_bytes(settings));
	p->pool = pool;
	p->settings = settings;
	p->arena = arena_new();
	p->hash = require_memory(XXH3_createState());
	return &p->common;
}

bool erofs_lz4_packing_walk(struct packing *packing, struct diag *diag)
{
	struct lz4_packing *p = as_lz4(packing);
	const bool ok = packing_walk(packing, diag, true);
	known_free(&p->known);
	if (ok && is_complete(packing))
		complete(p);
	return ok;
}
