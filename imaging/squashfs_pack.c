/* SPDX-License-Identifier: MIT */
#include "imaging/squashfs_pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/base/file.h"
#include "imaging/object_packing.h"
#include "imaging/squashfs_format.h"

enum {
	FIRST_SLOTS = 64,
	COMPARE_MOST = 16, /* of files that begin alike and differ later, no more than this are read */
};
#define EMPTY_SLOT 0xffffffffu

static void *memory(void *p)
{
	if (!p)
		abort();
	return p;
}

/* A file whose content is in the object, found by a hash of its start; bytes are compared before they are shared. */
struct known_file {
	uint64_t hash;
	uint32_t record; /* place in the records / 8 */
};

struct directory {
	uint32_t number;
	const char *path; /* below the root, "" for itself */
};

struct squashfs_packing {
	struct packing common; /* first: the one is the other */
	struct compress_pool *pool;
	uint32_t block_size;
	size_t pending;         /* blocks submitted and not stored */
	struct block *fragment; /* being filled; NULL when none is */
	uint32_t nfragments;
	struct known_file *known; /* open addressing; record is EMPTY_SLOT where free */
	size_t nknown, known_slots;
	unsigned char *compare;   /* two buffers of a block and a byte */
	struct arena *arena;      /* of the directories, in the order of their numbers */
	VEC(struct directory) directories;
};

static struct squashfs_packing *of(struct packing *packing)
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
	fragments[block->index] =
		(struct object_fragment){.start = p->common.data_bytes, .hash = block->hash, .size_word = block->size_word};
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

/* ---- content that is there already ---- */

static size_t known_slot(const struct known_file *known, size_t slots, uint64_t hash)
{
	size_t slot = (size_t)hash & (slots - 1);
	while (known[slot].record != EMPTY_SLOT)
		slot = (slot + 1) & (slots - 1);
	return slot;
}

static void known_grow(struct squashfs_packing *p)
{
	size_t slots = p->known_slots ? p->known_slots * 2 : FIRST_SLOTS;
	struct known_file *larger = memory(malloc(slots * sizeof *larger));
	memset(larger, 0xff, slots * sizeof *larger);
	for (size_t i = 0; i < p->known_slots; i++)
		if (p->known[i].record != EMPTY_SLOT)
			larger[known_slot(larger, slots, p->known[i].hash)] = p->known[i];
	free(p->known);
	p->known = larger;
	p->known_slots = slots;
}

static void known_add(struct squashfs_packing *p, uint64_t hash, uint64_t record)
{
	if (p->nknown * 2 >= p->known_slots)
		known_grow(p);
	p->known[known_slot(p->known, p->known_slots, hash)] = (struct known_file){.hash = hash, .record = (uint32_t)(record / 8)};
	p->nknown++;
}

/* Reads up to `count` bytes, fewer only at the end of the file; -1 with errno set. */
static ssize_t read_full(int fd, void *into, size_t count)
{
	size_t got = 0;
	while (got < count) {
		ssize_t n = read(fd, (char *)into + got, count - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static void enter_directory(struct packing *packing, uint32_t number)
{
	struct squashfs_packing *p = of(packing);
	const struct store_walk *walk = &packing->walk;
	const char *below = walk->path.n > walk->root_length ? walk->path.p + walk->root_length + 1 : "";
	vec_push(p->arena, &p->directories, (struct directory){number, arena_strdup(p->arena, below)});
}

static const char *directory_path(const struct squashfs_packing *p, uint32_t number)
{
	size_t first = 0, end = p->directories.n;
	while (end - first > 1) {
		const size_t middle = first + (end - first) / 2;
		if (p->directories.v[middle].number <= number)
			first = middle;
		else
			end = middle;
	}
	return p->directories.v[first].path;
}

static int known_open(const struct squashfs_packing *p, const struct known_file *known)
{
	const struct object_record *record = record_of(p, (uint64_t)known->record * 8);
	BUF_CLEANUP struct buf path = {0};
	buf_printf(&path, "%s/%s/", p->common.root, directory_path(p, record->parent));
	buf_add(&path, (const char *)(record + 1) + sizeof(struct object_file), record->name_length);
	return open(buf_text(&path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/*
 * Whether the known file holds exactly the `size` bytes that are in `fd`; `start`, of `n` bytes, were read from it already. What is compared then is
 * what is hashed.
 */
static bool known_is_same(struct squashfs_packing *p, const struct known_file *known, int fd, const unsigned char *start, size_t n, uint64_t size)
{
	FD_CLEANUP int other = known_open(p, known);
	if (other < 0)
		return false;
	const size_t room = (size_t)p->block_size + 1;
	if (!p->compare)
		p->compare = memory(malloc(2 * room));
	unsigned char *theirs = p->compare, *ours = p->compare + room;
	if (read_full(other, theirs, n) != (ssize_t)n || memcmp(theirs, start, n) != 0)
		return false;
	if (n < size)
		nar_mark(&p->common.walk.nar);
	for (uint64_t at = n; at < size; at += p->block_size) {
		ssize_t a = pread(fd, ours, p->block_size, (off_t)at), b = pread(other, theirs, p->block_size, (off_t)at);
		if (a <= 0 || a != b || memcmp(ours, theirs, (size_t)a) != 0 || ((uint64_t)a < p->block_size && at + (uint64_t)a != size)) {
			nar_rewind(&p->common.walk.nar);
			return false;
		}
		store_walk_content(&p->common.walk, ours, (size_t)a);
	}
	return true;
}

static const struct known_file *known_find(struct squashfs_packing *p, uint64_t hash, int fd, const unsigned char *start, size_t n, uint64_t size)
{
	if (p->known_slots == 0)
		return NULL;
	const size_t mask = p->known_slots - 1;
	unsigned compared = 0;
	for (size_t slot = (size_t)hash & mask; p->known[slot].record != EMPTY_SLOT && compared < COMPARE_MOST; slot = (slot + 1) & mask) {
		const struct known_file *known = &p->known[slot];
		if (known->hash != hash || file_of(record_of(p, (uint64_t)known->record * 8))->size != size)
			continue;
		if (known_is_same(p, known, fd, start, n, size))
			return known;
		compared++;
	}
	return NULL;
}

/* ---- files ---- */

static void record_duplicate(struct squashfs_packing *p, struct object_record record, uint64_t size, const struct known_file *known, const char *name)
{
	const struct object_file file = {.size = size, .fragment = SQUASHFS_INVALID_FRAG, .original = known->record};
	packing_record_begin(&p->common, record, &file, name);
	packing_record_end(&p->common);
}

/* A file of less than a block shares a fragment with its neighbours. */
static bool pack_small_file(struct squashfs_packing *p, struct diag *diag, int fd, struct object_record record, uint32_t size, const char *name)
{
	if (p->fragment && p->fragment->n + size > p->block_size)
		submit_fragment(p);
	if (!p->fragment && !(p->fragment = take_block(p, diag)))
		return false;
	unsigned char *data = p->fragment->data + p->fragment->n;
	/* One byte more than expected, to notice a file that grew. */
	ssize_t got = read_full(fd, data, (size_t)size + 1);
	if (got < 0)
		return store_walk_failed(&p->common.walk);
	if (got != (ssize_t)size)
		return store_walk_changed(&p->common.walk);
	store_walk_content(&p->common.walk, data, size);
	const uint64_t hash = XXH3_64bits_withSeed(data, size, size);
	const struct known_file *known = known_find(p, hash, fd, data, size, size);
	if (known) {
		record_duplicate(p, record, size, known, name);
		return true;
	}
	const struct object_file file = {
		.size = size, .fragment = p->nfragments, .fragment_offset = p->fragment->n, .original = OBJECT_OWN_CONTENT};
	known_add(p, hash, packing_record_begin(&p->common, record, &file, name));
	packing_record_end(&p->common);
	p->fragment->n += size;
	return true;
}

/* Reads block `index` of a file; the last one must end with the file. */
static bool read_block(struct squashfs_packing *p, int fd, uint64_t size, uint32_t index, struct block *block)
{
	const uint64_t left = size - (uint64_t)index * p->block_size;
	const bool last = left <= p->block_size;
	block->n = last ? (uint32_t)left : p->block_size;
	ssize_t got = read_full(fd, block->data, (size_t)block->n + last);
	if (got < 0)
		return store_walk_failed(&p->common.walk);
	if (got != (ssize_t)block->n)
		return store_walk_changed(&p->common.walk);
	store_walk_content(&p->common.walk, block->data, block->n);
	return true;
}

static bool pack_blocks(struct squashfs_packing *p, struct diag *diag, int fd, uint64_t size, uint64_t record, uint32_t count, struct block *first)
{
	for (uint32_t i = 0; i < count; i++) {
		struct block *block = i == 0 ? first : take_block(p, diag);
		if (!block)
			return false;
		if (i > 0 && !read_block(p, fd, size, i, block)) {
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

static bool pack_large_file(struct squashfs_packing *p, struct diag *diag, int fd, struct object_record record, uint64_t size, const char *name)
{
	const uint64_t count = (size + p->block_size - 1) / p->block_size;
	if (count > UINT32_MAX)
		return diag_error(diag, STATUS_INPUT, NULL, "file-too-large", "%s is too large for squashfs", buf_text(&p->common.walk.path));
	struct block *first = take_block(p, diag);
	if (!first)
		return false;
	if (!read_block(p, fd, size, 0, first)) {
		pool_release(p->pool, first);
		return false;
	}
	const uint64_t hash = XXH3_64bits_withSeed(first->data, first->n, size);
	const struct known_file *known = known_find(p, hash, fd, first->data, first->n, size);
	if (known) {
		pool_release(p->pool, first);
		record_duplicate(p, record, size, known, name);
		return true;
	}
	const struct object_file file = {.size = size, .fragment = SQUASHFS_INVALID_FRAG, .original = OBJECT_OWN_CONTENT};
	record.count = (uint32_t)count;
	const uint64_t at = packing_record_begin(&p->common, record, &file, name);
	record_add_block_sizes(p, record.count);
	packing_record_end(&p->common);
	known_add(p, hash, at);
	return pack_blocks(p, diag, fd, size, at, record.count, first);
}

static bool add_file(struct packing *packing, struct diag *diag, int fd, struct object_record record, uint64_t size, const char *name)
{
	struct squashfs_packing *p = of(packing);
	if (size >= p->block_size)
		return pack_large_file(p, diag, fd, record, size, name);
	if (size)
		return pack_small_file(p, diag, fd, record, (uint32_t)size, name);
	const struct object_file file = {.fragment = SQUASHFS_INVALID_FRAG, .original = OBJECT_OWN_CONTENT};
	packing_record_begin(&p->common, record, &file, name);
	packing_record_end(&p->common);
	return true;
}

/* ---- the end ---- */

/* Gives back what only the walk needed. */
static void walk_end(struct squashfs_packing *p)
{
	free(p->known);
	free(p->compare);
	arena_free(p->arena);
	p->known = NULL;
	p->compare = NULL;
	p->arena = NULL;
}

struct packing *squashfs_packing_new(struct compress_pool *pool, uint32_t block_size, const struct packing_request *request)
{
	struct squashfs_packing *p = memory(calloc(1, sizeof *p));
	packing_init(&p->common, request);
	p->common.add_file = add_file;
	p->common.enter_directory = enter_directory;
	p->arena = arena_new();
	p->pool = pool;
	p->block_size = block_size;
	return &p->common;
}

bool squashfs_packing_walk(struct packing *packing, struct diag *diag)
{
	struct squashfs_packing *p = of(packing);
	const bool ok = packing_walk(packing, diag, true);
	if (ok)
		submit_fragment(p);
	else if (p->fragment)
		pool_release(p->pool, p->fragment);
	p->fragment = NULL;
	walk_end(p);
	return ok;
}

bool squashfs_packing_is_complete(const struct packing *packing)
{
	return packing->walked && ((const struct squashfs_packing *)(const void *)packing)->pending == 0;
}

void squashfs_packing_free(struct packing *packing)
{
	struct squashfs_packing *p = of(packing);
	walk_end(p);
	packing_release(packing);
	free(p);
}
