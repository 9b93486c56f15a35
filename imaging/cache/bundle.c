/* SPDX-License-Identifier: MIT */
#include "imaging/cache/bundle.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "base/file.h"

enum { DAY_SECONDS = 24 * 60 * 60, ALIGNMENT = 8, NAME_DIGITS = 16 };

static const char bundle_magic[8] = "MVMBDL1";

uint32_t bundle_today(void)
{
	return (uint32_t)(time(NULL) / DAY_SECONDS);
}

bool bundle_is_name(const char *name)
{
	return strspn(name, "0123456789abcdef") == NAME_DIGITS && !name[NAME_DIGITS];
}

static uint64_t header_hash(const struct bundle_header *header)
{
	return XXH3_64bits(header, offsetof(struct bundle_header, header_hash));
}

static uint64_t settings_hash(const char *settings)
{
	return XXH3_64bits(settings, strlen(settings));
}

/* ---- reading ---- */

static off_t names_at(const struct bundle_header *h)
{
	return (off_t)(h->entries + h->count * sizeof(struct bundle_entry));
}

static off_t days_at(const struct bundle_header *h)
{
	return names_at(h) + (off_t)h->names_bytes;
}

static bool header_fits(const struct bundle_header *h, const char *settings, uint64_t file_bytes)
{
	const uint64_t limit = UINT64_C(1) << 40; /* keeps the sums from wrapping */
	return memcmp(h->magic, bundle_magic, sizeof bundle_magic) == 0 &&
		h->header_hash == header_hash(h) && h->settings_hash == settings_hash(settings) &&
		h->entries >= sizeof *h && h->entries < limit && h->count < limit &&
		h->names_bytes < limit && h->names_bytes % sizeof(uint32_t) == 0 &&
		file_bytes == (uint64_t)days_at(h) + h->count * sizeof(uint32_t);
}

static bool entries_fit(const struct bundle *b)
{
	const struct bundle_header *h = &b->header;
	for (size_t i = 0; i < h->count; i++) {
		const struct bundle_entry *e = &b->entries[i];
		if (e->bytes > BUNDLE_OBJECT_MAX || e->bytes > h->entries - sizeof *h ||
			e->start < sizeof *h || e->start > h->entries - e->bytes ||
			e->name >= h->names_bytes || (i && e->name_hash < e[-1].name_hash))
			return false;
	}
	return true;
}

/* Reads what follows the header; false: it does not fit it. */
static bool entries_read(int fd, struct bundle *out)
{
	const struct bundle_header *h = &out->header;
	const size_t entries = (size_t)h->count * sizeof *out->entries,
		     days = (size_t)h->count * sizeof *out->days;
	out->entries = require_memory(malloc(entries + 1));
	out->days = require_memory(malloc(days + 1));
	if (!fd_read_all(fd, out->entries, entries, (off_t)h->entries))
		return false;
	if (XXH3_64bits(out->entries, entries) != h->entries_hash || !entries_fit(out))
		return false;
	return fd_read_all(fd, out->days, days, days_at(h));
}

bool bundle_open(int fd, const char *settings, struct bundle *out)
{
	struct stat st;
	*out = (struct bundle){.fd = fd};
	struct bundle_header *h = &out->header;
	if (fstat(fd, &st) == 0 && fd_read_all(fd, h, sizeof *h, 0) &&
		header_fits(h, settings, (uint64_t)st.st_size) && entries_read(fd, out))
		return true;
	bundle_close(out);
	return false;
}

void bundle_close(struct bundle *b)
{
	fd_close(&b->fd);
	free(b->entries);
	free(b->days);
	*b = (struct bundle){.fd = -1};
}

/* Returns the first entry of the name, or the place where it would be. */
static size_t entry_find(const struct bundle *b, uint64_t name_hash)
{
	size_t low = 0, high = (size_t)b->header.count;
	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (b->entries[middle].name_hash < name_hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static unsigned char *entry_read(const struct bundle *b, const struct bundle_entry *e)
{
	unsigned char *bytes = require_memory(malloc(e->bytes + 1));
	if (fd_read_all(b->fd, bytes, e->bytes, (off_t)e->start))
		return bytes;
	free(bytes);
	return NULL;
}

/*
 * The name hash alone is not enough in a bundle: the last record, which is the path itself, has the
 * name.
 */
static bool is_named(const struct object *object, const char *name)
{
	const struct object_record *last = NULL;
	for (const struct object_record *r = NULL; (r = object_next(object, r));)
		last = r;
	return last && last->name_length == strlen(name) &&
		memcmp(object_record_name(last), name, last->name_length) == 0;
}

static enum object_fault entry_open(const struct bundle *b, const struct bundle_entry *e,
	const struct object_identity *identity, struct object *out)
{
	unsigned char *bytes = entry_read(b, e);
	if (!bytes)
		return OBJECT_UNREADABLE;
	if (!object_open_memory(bytes, e->bytes, identity, out))
		return out->fault;
	if (is_named(out, identity->name))
		return OBJECT_FAULTLESS;
	object_close(out);
	return OBJECT_OTHER;
}

bool bundle_find(struct bundle *b, const struct object_identity *identity, struct object *out)
{
	const uint64_t hash = object_name_hash(identity);
	enum object_fault worst = OBJECT_FAULTLESS;
	for (size_t i = entry_find(b, hash); i < b->header.count && b->entries[i].name_hash == hash;
		i++) {
		const enum object_fault fault = entry_open(b, &b->entries[i], identity, out);
		if (fault == OBJECT_FAULTLESS) {
			__atomic_store_n(&b->days[i], bundle_today(), __ATOMIC_RELAXED);
			return true;
		}
		if (fault == OBJECT_DAMAGED)
			__atomic_store_n(&b->damaged, true, __ATOMIC_RELAXED);
		worst = fault > worst ? fault : worst;
	}
	*out = (struct object){.fd = -1, .fault = worst};
	return false;
}

bool bundle_peek(const struct bundle *b, const struct object_identity *identity,
	struct object_footer *footer)
{
	const uint64_t hash = object_name_hash(identity);
	for (size_t i = entry_find(b, hash); i < b->header.count && b->entries[i].name_hash == hash;
		i++) {
		const struct bundle_entry *e = &b->entries[i];
		unsigned char *bytes = entry_read(b, e);
		const bool found = bytes && object_footer_of(bytes, e->bytes, identity, footer);
		free(bytes);
		if (found)
			return true;
	}
	return false;
}

bool bundle_is_sound(const struct bundle *b, size_t index, const char *settings, const char *names)
{
	const struct bundle_entry *e = &b->entries[index];
	const struct object_identity identity = {.name = names + e->name, .settings = settings};
	struct object object;
	unsigned char *bytes = entry_read(b, e);
	if (!bytes || !object_open_memory(bytes, e->bytes, &identity, &object))
		return false;
	const bool sound = is_named(&object, identity.name);
	object_close(&object);
	return sound;
}

/* Raises each day in the file to the one in memory; false if none is lower. */
static bool days_raise(const struct bundle *b, uint32_t *days)
{
	bool raised = false;
	if (!fd_read_all(b->fd, days, (size_t)b->header.count * sizeof *days, days_at(&b->header)))
		return false;
	for (size_t i = 0; i < b->header.count; i++)
		if (days[i] < b->days[i]) {
			days[i] = b->days[i];
			raised = true;
		}
	return raised;
}

void bundle_write_days(struct bundle *b)
{
	const size_t bytes = (size_t)b->header.count * sizeof(uint32_t);
	uint32_t *days = require_memory(malloc(bytes + 1));
	/*
	 * Reads the days again under the lock, because another build may write too. A failed write
	 * is harmless: our uses are just not recorded.
	 */
	if (days_raise(b, days) && flock(b->fd, LOCK_EX) == 0) {
		if (days_raise(b, days))
			(void)!pwrite(b->fd, days, bytes, days_at(&b->header));
		flock(b->fd, LOCK_UN);
	}
	free(days);
}

char *bundle_names(const struct bundle *b)
{
	const size_t bytes = (size_t)b->header.names_bytes;
	char *names = require_memory(malloc(bytes + 1));
	names[bytes] = '\0';
	if (fd_read_all(b->fd, names, bytes, names_at(&b->header)) &&
		XXH3_64bits(names, bytes) == b->header.names_hash)
		return names;
	free(names);
	return NULL;
}

/* ---- writing ---- */

void bundle_writer_free(struct bundle_writer *writer)
{
	buf_free(&writer->objects);
	buf_free(&writer->entries);
	buf_free(&writer->names);
	buf_free(&writer->days);
}

static void pad(struct buf *buf, size_t unit)
{
	static const char zeros[ALIGNMENT];
	buf_add(buf, zeros, -buf->n & (unit - 1));
}

void bundle_add(struct bundle_writer *writer, uint64_t name_hash, const char *name,
	const void *object, size_t bytes, uint32_t day)
{
	const unsigned char *end = (const unsigned char *)object + bytes;
	struct bundle_entry e = {.name_hash = name_hash,
		.start = sizeof(struct bundle_header) + writer->objects.n,
		.bytes = (uint32_t)bytes,
		.name = (uint32_t)writer->names.n};
	memcpy(&e.footer_hash, end - sizeof e.footer_hash, sizeof e.footer_hash);
	buf_add(&writer->objects, object, bytes);
	pad(&writer->objects, ALIGNMENT);
	buf_add(&writer->entries, &e, sizeof e);
	buf_add(&writer->names, name, strlen(name) + 1);
	buf_add(&writer->days, &day, sizeof day);
}

bool bundle_copy(
	struct bundle_writer *writer, const struct bundle *from, size_t index, const char *names)
{
	const struct bundle_entry *e = &from->entries[index];
	unsigned char *bytes = entry_read(from, e);
	if (bytes)
		bundle_add(
			writer, e->name_hash, names + e->name, bytes, e->bytes, from->days[index]);
	free(bytes);
	return bytes;
}

/* an entry with its day */
struct sorted {
	struct bundle_entry entry;
	uint32_t day;
};

static int sorted_compare(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	if (x->entry.name_hash != y->entry.name_hash)
		return x->entry.name_hash < y->entry.name_hash ? -1 : 1;
	return x->entry.start < y->entry.start ? -1 : x->entry.start > y->entry.start;
}

static void sort(struct bundle_writer *writer)
{
	struct bundle_entry *entries = (void *)writer->entries.p;
	uint32_t *days = (void *)writer->days.p;
	const size_t count = writer->entries.n / sizeof *entries;
	struct sorted *all = require_memory(malloc((count + 1) * sizeof *all));
	for (size_t i = 0; i < count; i++)
		all[i] = (struct sorted){entries[i], days[i]};
	qsort(all, count, sizeof *all, sorted_compare);
	for (size_t i = 0; i < count; i++) {
		entries[i] = all[i].entry;
		days[i] = all[i].day;
	}
	free(all);
}

bool bundle_write(struct bundle_writer *writer, const char *settings, int fd, char name[static 24])
{
	pad(&writer->names, sizeof(uint32_t));
	sort(writer);
	struct bundle_header h = {.settings_hash = settings_hash(settings),
		.count = writer->entries.n / sizeof(struct bundle_entry),
		.entries = sizeof h + writer->objects.n,
		.names_bytes = writer->names.n,
		.entries_hash = XXH3_64bits(writer->entries.p, writer->entries.n),
		.names_hash = XXH3_64bits(writer->names.p, writer->names.n)};
	memcpy(h.magic, bundle_magic, sizeof h.magic);
	h.header_hash = header_hash(&h);
	snprintf(name, 24, "%016llx", (unsigned long long)h.header_hash);
	if (!fd_write_all(fd, &h, sizeof h, 0))
		return false;
	if (!fd_write_all(fd, writer->objects.p, writer->objects.n, sizeof h))
		return false;
	if (!fd_write_all(fd, writer->entries.p, writer->entries.n, (off_t)h.entries))
		return false;
	if (!fd_write_all(fd, writer->names.p, writer->names.n, names_at(&h)))
		return false;
	return fd_write_all(fd, writer->days.p, writer->days.n, days_at(&h));
}
