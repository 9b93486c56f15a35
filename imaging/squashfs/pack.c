/* SPDX-License-Identifier: MIT */
#include "imaging/squashfs/pack.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "base/holes.h"
#include "base/plain_file.h"
#include "imaging/squashfs/format.h"
#include "imaging/cache/known.h"

struct squashfs_packing {
	struct packing common; /* must be first: pointers to both are converted */
	struct compress_pool *pool;
	uint32_t block_size;
	size_t pending;         /* blocks submitted and not stored */
	struct block *fragment; /* being filled; may be NULL */
	uint32_t nfragments;
	struct known_files known;
	struct holes holes; /* of the large file that is read */
};

static struct squashfs_packing *as_squashfs(struct packing *packing)
{
	return (void *)packing;
}

/* ---- blocks ---- */

static struct object_record *record_of(const struct squashfs_packing *p, uint64_t at)
{
	return (void *)(p->common.records.p + at);
}

static struct object_file *file_of(struct object_record *record)
{
	return (void *)(record + 1);
}

static uint32_t *block_sizes_of(struct object_record *record)
{
	size_t at = sizeof *record + sizeof(struct object_file) + record->name_length;
	return (void *)((char *)record + ((at + 3) & ~(size_t)3));
}

static void note_fragment(struct squashfs_packing *p, const struct block *block)
{
	struct object_fragment *fragments = (void *)p->common.fragments.p;
	fragments[block->index] = (struct object_fragment){
		.start = p->common.data_bytes, .hash = block->hash, .size_word = block->size_word};
}

static void note_file_block(struct squashfs_packing *p, const struct block *block)
{
	struct object_record *record = record_of(p, block->record);
	struct object_file *file = file_of(record);
	if (block->index == 0)
		file->start = p->common.data_bytes;
	block_sizes_of(record)[block->index] = block->size_word;
	file->hash = XXH3_64bits_withSeed(&block->hash, sizeof block->hash, file->hash);
	if (block->n == 0) {
		uint64_t left = file->size - (uint64_t)block->index * p->block_size;
		file->sparse += left < p->block_size ? left : p->block_size;
	}
}

bool squashfs_packing_store(struct compress_pool *pool, struct diag *diag, struct block *block)
{
	struct squashfs_packing *p = block->owner;
	if (block->may_be_hole)
		note_file_block(p, block);
	else
		note_fragment(p, block);
	bool ok = packing_write(&p->common, diag, block->data, block->n);
	p->pending--;
	pool_release(pool, block);
	return ok;
}

static struct block *take_block(struct squashfs_packing *p, struct diag *diag)
{
	for (;;) {
		struct block *block = pool_take(p->pool);
		if (block)
			return block;
		if (!squashfs_packing_store(p->pool, diag, pool_retire(p->pool, true)))
			return NULL;
	}
}

static void submit_block(struct squashfs_packing *p, struct block *block)
{
	block->owner = p;
	p->pending++;
	const uint32_t bytes = block->n;
	pool_submit(p->pool, block);
	packing_progress(&p->common, bytes);
}

static void submit_fragment(struct squashfs_packing *p)
{
	if (!p->fragment)
		return;
	static const struct object_fragment not_yet;
	buf_add(&p->common.fragments, &not_yet, sizeof not_yet);
	p->fragment->index = p->nfragments++;
	submit_block(p, p->fragment);
	p->fragment = NULL;
}

/* ---- records ---- */

static void record_add_block_sizes(struct squashfs_packing *p, uint32_t count)
{
	static const uint32_t zeros[256];
	for (uint32_t part; count; count -= part) {
		part = count < countof(zeros) ? count : (uint32_t)countof(zeros);
		buf_add(&p->common.records, zeros, part * sizeof *zeros);
	}
}

/* ---- files ---- */

static void record_duplicate(struct squashfs_packing *p, struct object_record record, uint64_t size,
	uint32_t original, const char *name)
{
	const struct object_file file = {
		.size = size,
		.fragment = OBJECT_NO_FRAGMENT,
		.original = original,
	};
	packing_record_begin(&p->common, record, &file, name);
	packing_record_end(&p->common);
}

/* Packs a file of less than a block into a fragment, with its neighbours. */
static bool pack_small_file(struct squashfs_packing *p, struct diag *diag, int fd,
	struct object_record record, uint32_t size, const char *name)
{
	if (p->fragment && p->fragment->n + size > p->block_size)
		submit_fragment(p);
	if (!p->fragment && !(p->fragment = take_block(p, diag)))
		return false;
	unsigned char *data = p->fragment->data + p->fragment->n;
	/* Reads one byte more than expected, to detect that the file has grown. */
	ssize_t got = fd_read_most(fd, data, (size_t)size + 1, 0);
	if (got < 0)
		return store_walk_failed(&p->common.walk);
	if (got != (ssize_t)size)
		return store_walk_changed(&p->common.walk);
	store_walk_content(&p->common.walk, data, size);
	const uint64_t hash = XXH3_64bits_withSeed(data, size, size);
	const uint32_t original = known_find(&p->known, hash, fd, data, size, size);
	if (original != OBJECT_OWN_CONTENT) {
		record_duplicate(p, record, size, original, name);
		return true;
	}
	const struct object_file file = {.size = size,
		.fragment = p->nfragments,
		.fragment_offset = p->fragment->n,
		.original = OBJECT_OWN_CONTENT};
	known_add(&p->known, hash, packing_record_begin(&p->common, record, &file, name));
	packing_record_end(&p->common);
	p->fragment->n += size;
	return true;
}

/* Reads block `index` of p->holes's file; the file must end with the last one. */
static bool read_block(struct squashfs_packing *p, uint32_t index, struct block *block)
{
	const uint64_t at = (uint64_t)index * p->block_size, left = p->holes.size - at;
	const bool last = left <= p->block_size;
	block->n = last ? (uint32_t)left : p->block_size;
	if (holes_has(&p->holes, block->n, at)) {
		memset(block->data, 0, block->n);
	} else {
		ssize_t got =
			fd_read_most(p->holes.fd, block->data, (size_t)block->n + last, (off_t)at);
		if (got < 0)
			return store_walk_failed(&p->common.walk);
		if (got != (ssize_t)block->n)
			return store_walk_changed(&p->common.walk);
	}
	store_walk_content(&p->common.walk, block->data, block->n);
	return true;
}

static bool pack_blocks(struct squashfs_packing *p, struct diag *diag, uint64_t record,
	uint32_t count, struct block *first)
{
	for (uint32_t i = 0; i < count; i++) {
		struct block *block = i == 0 ? first : take_block(p, diag);
		if (!block)
			return false;
		if (i > 0 && !read_block(p, i, block)) {
			pool_release(p->pool, block);
			return false;
		}
		block->may_be_hole = true;
		block->record = record;
		block->index = i;
		submit_block(p, block);
	}
	return true;
}

static bool pack_large_file(struct squashfs_packing *p, struct diag *diag, int fd,
	struct object_record record, uint64_t size, const char *name)
{
	const uint64_t count = (size + p->block_size - 1) / p->block_size;
	if (count > UINT32_MAX)
		return diag_error(diag, STATUS_INPUT, NULL, "file-too-large",
			"%s is too large for squashfs", buf_text(&p->common.walk.path));
	struct block *first = take_block(p, diag);
	if (!first)
		return false;
	p->holes = holes_of(fd, size);
	if (!read_block(p, 0, first)) {
		pool_release(p->pool, first);
		return false;
	}
	const uint64_t hash = XXH3_64bits_withSeed(first->data, first->n, size);
	const uint32_t original = known_find(&p->known, hash, fd, first->data, first->n, size);
	if (original != OBJECT_OWN_CONTENT) {
		pool_release(p->pool, first);
		record_duplicate(p, record, size, original, name);
		return true;
	}
	const struct object_file file = {
		.size = size,
		.fragment = OBJECT_NO_FRAGMENT,
		.original = OBJECT_OWN_CONTENT,
	};
	record.count = (uint32_t)count;
	const uint64_t at = packing_record_begin(&p->common, record, &file, name);
	record_add_block_sizes(p, record.count);
	packing_record_end(&p->common);
	known_add(&p->known, hash, at);
	return pack_blocks(p, diag, at, record.count, first);
}

static bool add_file(struct packing *packing, struct diag *diag, int fd,
	struct object_record record, uint64_t size, const char *name)
{
	struct squashfs_packing *p = as_squashfs(packing);
	if (size >= p->block_size)
		return pack_large_file(p, diag, fd, record, size, name);
	if (size)
		return pack_small_file(p, diag, fd, record, (uint32_t)size, name);
	const struct object_file file = {
		.fragment = OBJECT_NO_FRAGMENT,
		.original = OBJECT_OWN_CONTENT,
	};
	packing_record_begin(&p->common, record, &file, name);
	packing_record_end(&p->common);
	return true;
}

/* ---- interface ---- */

static void enter_directory(struct packing *packing, uint32_t number)
{
	known_enter_directory(&as_squashfs(packing)->known, number);
}

static bool is_complete(const struct packing *packing)
{
	return packing->walked &&
		((const struct squashfs_packing *)(const void *)packing)->pending == 0;
}

static void packing_free(struct packing *packing)
{
	struct squashfs_packing *p = as_squashfs(packing);
	known_free(&p->known);
	packing_release(packing);
	free(p);
}

struct packing *squashfs_packing_new(
	struct compress_pool *pool, uint32_t block_size, const struct packing_request *request)
{
	struct squashfs_packing *p = require_memory(calloc(1, sizeof *p));
	packing_init(&p->common, request);
	p->common.add_file = add_file;
	p->common.enter_directory = enter_directory;
	p->common.is_complete = is_complete;
	p->common.free = packing_free;
	known_begin(&p->known, &p->common, block_size);
	p->pool = pool;
	p->block_size = block_size;
	return &p->common;
}

bool squashfs_packing_walk(struct packing *packing, struct diag *diag)
{
	struct squashfs_packing *p = as_squashfs(packing);
	const bool ok = packing_walk(packing, diag, true);
	if (ok)
		submit_fragment(p);
	else if (p->fragment)
		pool_release(p->pool, p->fragment);
	p->fragment = NULL;
	known_free(&p->known);
	return ok;
}
