/* SPDX-License-Identifier: MIT */
#include "imaging/object_packing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/base/file.h"
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

struct packing *packing_new(const struct packing_request *request)
{
	struct packing *p = memory(calloc(1, sizeof *p));
	p->pool = request->pool;
	p->block_size = request->block_size;
	p->root = request->path;
	p->identity = request->identity;
	p->progress = request->progress;
	p->progress_context = request->progress_context;
	p->target = memory(strdup(request->target));
	p->fd = request->fd;
	p->data_hash = memory(XXH3_createState());
	XXH3_128bits_reset(p->data_hash);
	p->arena = arena_new();
	return p;
}

void packing_walk_end(struct packing *p)
{
	buf_free(&p->path);
	arena_free(p->arena);
	free(p->known);
	free(p->compare);
	p->arena = NULL;
	p->known = NULL;
	p->compare = NULL;
}

void packing_free(struct packing *p)
{
	if (!p)
		return;
	packing_walk_end(p);
	fd_close(&p->fd);
	buf_free(&p->records);
	buf_free(&p->fragments);
	XXH3_freeState(p->data_hash);
	free(p->target);
	free(p);
}

uint64_t packing_content_bytes(const struct packing *p)
{
	return p->content_bytes;
}

bool packing_read_failed(const struct packing *p, struct diag *diag)
{
	return diag_error(diag, STATUS_INPUT, NULL, "unreadable-file", "cannot read %s: %s", buf_text(&p->path), strerror(errno));
}

bool packing_source_changed(const struct packing *p, struct diag *diag)
{
	return diag_error(diag, STATUS_INPUT, NULL, "file-changed", "%s changed while it was read", buf_text(&p->path));
}

static bool write_failed(const struct packing *p, struct diag *diag)
{
	return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file", "cannot write %s: %s", p->target, strerror(errno));
}

/* ---- blocks ---- */

static struct object_record *record_of(const struct packing *p, uint64_t at)
{
	return (void *)(p->records.p + at);
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

static void note_fragment(struct packing *p, const struct block *block)
{
	struct object_fragment *fragments = (void *)p->fragments.p;
	fragments[block->index] =
		(struct object_fragment){.start = p->data_bytes, .hash = block->hash, .size_word = block->size_word};
}

static void note_file_block(struct packing *p, const struct block *block)
{
	struct object_record *record = record_of(p, block->record);
	struct object_file *file = file_of(record);
	if (block->index == 0)
		file->start = p->data_bytes;
	block_sizes_of(record)[block->index] = block->size_word;
	file->hash = XXH3_64bits_withSeed(&block->hash, sizeof block->hash, file->hash);
	if (block->n == 0) {
		uint64_t left = file->size - (uint64_t)block->index * p->block_size;
		file->sparse += left < p->block_size ? left : p->block_size;
	}
}

bool packing_store(struct compress_pool *pool, struct diag *diag, struct block *block)
{
	struct packing *p = block->owner;
	if (block->may_be_hole)
		note_file_block(p, block);
	else
		note_fragment(p, block);
	bool ok = fd_write_all(p->fd, block->data, block->n, (off_t)p->data_bytes) || write_failed(p, diag);
	XXH3_128bits_update(p->data_hash, block->data, block->n);
	p->data_bytes += block->n;
	p->pending--;
	pool_release(pool, block);
	return ok;
}

static struct block *take_block(struct packing *p, struct diag *diag)
{
	for (;;) {
		struct block *block = pool_take(p->pool);
		if (block)
			return block;
		if (!packing_store(p->pool, diag, pool_retire(p->pool, true)))
			return NULL;
	}
}

static void submit_block(struct packing *p, struct block *block)
{
	block->owner = p;
	p->pending++;
	p->read_bytes += block->n;
	pool_submit(p->pool, block);
	p->progress(p->progress_context, p->read_bytes);
}

void packing_submit_fragment(struct packing *p)
{
	if (!p->fragment)
		return;
	static const struct object_fragment not_yet;
	buf_add(&p->fragments, &not_yet, sizeof not_yet);
	p->fragment->index = p->nfragments++;
	submit_block(p, p->fragment);
	p->fragment = NULL;
}

/* ---- records ---- */

static void pad_records(struct packing *p, size_t unit)
{
	static const char zeros[8];
	buf_add(&p->records, zeros, -p->records.n & (unit - 1));
}

uint64_t packing_record_begin(struct packing *p, struct object_record record, const struct object_file *file, const char *name)
{
	uint64_t at = p->records.n;
	record.name_length = (uint8_t)strlen(name);
	buf_add(&p->records, &record, sizeof record);
	if (file)
		buf_add(&p->records, file, sizeof *file);
	buf_add(&p->records, name, record.name_length);
	pad_records(p, 4);
	return at;
}

void packing_record_end(struct packing *p)
{
	pad_records(p, 8);
}

static void record_add_block_sizes(struct packing *p, uint32_t count)
{
	static const uint32_t zeros[256];
	for (uint32_t part; count; count -= part) {
		part = count < countof(zeros) ? count : (uint32_t)countof(zeros);
		buf_add(&p->records, zeros, part * sizeof *zeros);
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

static void known_grow(struct packing *p)
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

static void known_add(struct packing *p, uint64_t hash, uint64_t record)
{
	if (p->nknown * 2 >= p->known_slots)
		known_grow(p);
	p->known[known_slot(p->known, p->known_slots, hash)] = (struct known_file){
		.hash = hash, .record = (uint32_t)(record / 8), .directory = p->directory};
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

static int known_open(const struct packing *p, const struct known_file *known)
{
	const struct object_record *record = record_of(p, (uint64_t)known->record * 8);
	BUF_CLEANUP struct buf path = {0};
	buf_printf(&path, "%s/%s/", p->root, p->directories.v[known->directory]);
	buf_add(&path, (const char *)(record + 1) + sizeof(struct object_file), record->name_length);
	return open(buf_text(&path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/* Whether the known file holds exactly the `size` bytes that follow in `fd`; `start`, of `n` bytes, were read from `fd` already. */
static bool known_is_same(struct packing *p, const struct known_file *known, int fd, const unsigned char *start, size_t n, uint64_t size)
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
	for (uint64_t at = n; at < size; at += p->block_size) {
		ssize_t a = pread(fd, ours, p->block_size, (off_t)at), b = pread(other, theirs, p->block_size, (off_t)at);
		if (a <= 0 || a != b || memcmp(ours, theirs, (size_t)a) != 0 || ((uint64_t)a < p->block_size && at + (uint64_t)a != size))
			return false;
	}
	return true;
}

static const struct known_file *known_find(struct packing *p, uint64_t hash, int fd, const unsigned char *start, size_t n, uint64_t size)
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

static void record_duplicate(struct packing *p, struct object_record record, uint64_t size, const struct known_file *known, const char *name)
{
	const struct object_file file = {.size = size, .fragment = SQUASHFS_INVALID_FRAG, .original = known->record};
	packing_record_begin(p, record, &file, name);
	packing_record_end(p);
}

/* A file of less than a block shares a fragment with its neighbours. */
static bool pack_small_file(struct packing *p, struct diag *diag, int fd, struct object_record record, uint32_t size, const char *name)
{
	if (p->fragment && p->fragment->n + size > p->block_size)
		packing_submit_fragment(p);
	if (!p->fragment && !(p->fragment = take_block(p, diag)))
		return false;
	unsigned char *data = p->fragment->data + p->fragment->n;
	/* One byte more than expected, to notice a file that grew. */
	ssize_t got = read_full(fd, data, (size_t)size + 1);
	if (got < 0)
		return packing_read_failed(p, diag);
	if (got != (ssize_t)size)
		return packing_source_changed(p, diag);
	const uint64_t hash = XXH3_64bits_withSeed(data, size, size);
	const struct known_file *known = known_find(p, hash, fd, data, size, size);
	if (known) {
		record_duplicate(p, record, size, known, name);
		return true;
	}
	const struct object_file file = {
		.size = size, .fragment = p->nfragments, .fragment_offset = p->fragment->n, .original = OBJECT_OWN_CONTENT};
	known_add(p, hash, packing_record_begin(p, record, &file, name));
	packing_record_end(p);
	p->fragment->n += size;
	return true;
}

/* Reads block `index` of a file; the last one must end with the file. */
static bool read_block(struct packing *p, struct diag *diag, int fd, uint64_t size, uint32_t index, struct block *block)
{
	const uint64_t left = size - (uint64_t)index * p->block_size;
	const bool last = left <= p->block_size;
	block->n = last ? (uint32_t)left : p->block_size;
	ssize_t got = read_full(fd, block->data, (size_t)block->n + last);
	if (got < 0)
		return packing_read_failed(p, diag);
	return got == (ssize_t)block->n || packing_source_changed(p, diag);
}

static bool pack_blocks(struct packing *p, struct diag *diag, int fd, uint64_t size, uint64_t record, uint32_t count, struct block *first)
{
	for (uint32_t i = 0; i < count; i++) {
		struct block *block = i == 0 ? first : take_block(p, diag);
		if (!block)
			return false;
		if (i > 0 && !read_block(p, diag, fd, size, i, block)) {
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

static bool pack_large_file(struct packing *p, struct diag *diag, int fd, struct object_record record, uint64_t size, const char *name)
{
	const uint64_t count = (size + p->block_size - 1) / p->block_size;
	if (count > UINT32_MAX)
		return diag_error(diag, STATUS_INPUT, NULL, "file-too-large", "%s is too large for squashfs", buf_text(&p->path));
	struct block *first = take_block(p, diag);
	if (!first)
		return false;
	if (!read_block(p, diag, fd, size, 0, first)) {
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
	const uint64_t at = packing_record_begin(p, record, &file, name);
	record_add_block_sizes(p, record.count);
	packing_record_end(p);
	known_add(p, hash, at);
	return pack_blocks(p, diag, fd, size, at, record.count, first);
}

bool packing_add_file(struct packing *p, struct diag *diag, int fd, struct object_record record, uint64_t size, const char *name)
{
	record.type = SQUASHFS_REG_TYPE;
	p->content_bytes += size;
	if (size >= p->block_size)
		return pack_large_file(p, diag, fd, record, size, name);
	if (size)
		return pack_small_file(p, diag, fd, record, (uint32_t)size, name);
	const struct object_file file = {.fragment = SQUASHFS_INVALID_FRAG, .original = OBJECT_OWN_CONTENT};
	packing_record_begin(p, record, &file, name);
	packing_record_end(p);
	return true;
}

/* ---- the end ---- */

bool packing_is_complete(const struct packing *p)
{
	return p->walked && p->pending == 0;
}

static struct object_footer footer_of(const struct packing *p)
{
	struct object_footer f = {.magic = "MVMOBJ\n",
				  .name_hash = object_name_hash(&p->identity),
				  .boot = p->identity.boot,
				  .data_bytes = p->data_bytes,
				  .tables_offset = object_tables_offset(p->data_bytes),
				  .records_bytes = p->records.n - p->nfragments * sizeof(struct object_fragment),
				  .content_bytes = p->content_bytes,
				  .inodes = p->inodes,
				  .fragments = p->nfragments};
	const XXH128_hash_t data = XXH3_128bits_digest(p->data_hash), tables = XXH3_128bits(p->records.p, p->records.n);
	f.data_hash[0] = data.low64;
	f.data_hash[1] = data.high64;
	f.tables_hash[0] = tables.low64;
	f.tables_hash[1] = tables.high64;
	const char *nar_hash = p->identity.nar_hash;
	if (nar_hash)
		memcpy(f.nar_hash, nar_hash, strnlen(nar_hash, sizeof f.nar_hash));
	f.footer_hash = object_footer_hash(&f);
	return f;
}

bool packing_finish(struct packing *p, struct diag *diag, struct object *out)
{
	buf_add(&p->records, p->fragments.p, p->fragments.n);
	const struct object_footer f = footer_of(p);
	buf_add(&p->records, &f, sizeof f);
	if (!fd_write_all(p->fd, p->records.p, p->records.n, (off_t)f.tables_offset))
		return write_failed(p, diag);
	*out = (struct object){.fd = p->fd, .footer = f};
	p->fd = -1;
	if (f.data_bytes < OBJECT_PAGE) {
		out->memory = memory(malloc(f.tables_offset + p->records.n));
		if (!fd_read_all(out->fd, out->memory, f.tables_offset, 0)) {
			object_close(out);
			return write_failed(p, diag);
		}
		memcpy(out->memory + f.tables_offset, p->records.p, p->records.n);
		out->small = out->memory;
		out->records = out->memory + f.tables_offset;
	} else {
		out->memory = (void *)p->records.p;
		out->records = out->memory;
		p->records = (struct buf){0};
	}
	out->fragments = (const void *)(out->records + f.records_bytes);
	return true;
}
