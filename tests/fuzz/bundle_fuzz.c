/* SPDX-License-Identifier: MIT */
/*
 * Reads arbitrary bytes as a bundle of cache objects. Hashes are corrected first, as in
 * object_fuzz.c, so that the fuzzer gets past them.
 */
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "imaging/cache/bundle.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/object_mend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char settings[] = "settings";

static int compare_entries(const void *a, const void *b)
{
	const struct bundle_entry *x = a, *y = b;
	return (x->name_hash > y->name_hash) - (x->name_hash < y->name_hash);
}

/* Sets the entry's hash to the hash of its name, and corrects its object for that name. */
static void entry_mend(unsigned char *bytes, const struct bundle_header *h, struct bundle_entry *e)
{
	char name[256];
	if (e->name >= h->names_bytes || e->bytes > h->entries || e->start < sizeof *h ||
		e->start > h->entries - e->bytes)
		return;
	const char *from = (const char *)bytes + h->entries + h->count * sizeof *e + e->name;
	size_t length = strnlen(from, h->names_bytes - e->name);
	length = length < sizeof name ? length : sizeof name - 1;
	memcpy(name, from, length);
	name[length] = '\0';
	const struct object_identity identity = {.name = name, .settings = settings};
	e->name_hash = object_name_hash(&identity);
	object_mend(bytes + e->start, e->bytes, &identity);
}

static void bundle_mend(unsigned char *bytes, size_t size)
{
	struct bundle_header h;
	if (size < sizeof h)
		return;
	memcpy(&h, bytes, sizeof h);
	memcpy(h.magic, "MVMBDL1", sizeof h.magic);
	h.settings_hash = XXH3_64bits(settings, strlen(settings));
	const size_t room = size - sizeof h, each = sizeof(struct bundle_entry) + sizeof(uint32_t);
	h.count %= room / each + 1;
	h.names_bytes %= (room - h.count * each) + 1;
	h.names_bytes &= ~(uint64_t)3;
	h.entries = size - h.count * each - h.names_bytes;
	struct bundle_entry *entries = malloc((size_t)h.count * sizeof *entries + 1);
	if (!entries)
		abort();
	const size_t entries_bytes = (size_t)h.count * sizeof *entries;
	memcpy(entries, bytes + h.entries, entries_bytes);
	for (size_t i = 0; i < h.count; i++)
		entry_mend(bytes, &h, &entries[i]);
	if (h.count)
		qsort(entries, h.count, sizeof *entries, compare_entries);
	memcpy(bytes + h.entries, entries, entries_bytes);
	free(entries);
	h.entries_hash = XXH3_64bits(bytes + h.entries, entries_bytes);
	h.names_hash = XXH3_64bits(bytes + h.entries + entries_bytes, h.names_bytes);
	h.header_hash = XXH3_64bits(&h, offsetof(struct bundle_header, header_hash));
	memcpy(bytes, &h, sizeof h);
}

static void look_up(struct bundle *bundle, const char *names, size_t index)
{
	const struct object_identity identity = {
		.name = names + bundle->entries[index].name, .settings = settings};
	struct object_footer footer;
	struct object object;
	bundle_peek(bundle, &identity, &footer);
	const bool found = bundle_find(bundle, &identity, &object);
	if (found)
		object_close(&object);
	if (bundle_is_sound(bundle, index, settings, names) && !found)
		abort();
}

/* Copies the intact objects into another bundle, as cleaning up the cache does. */
static void copy_all(const struct bundle *bundle, const char *names)
{
	struct bundle_writer writer = {0};
	char name[24];
	int fd = memory_file(NULL, 0);
	for (size_t i = 0; i < bundle->header.count; i++)
		if (bundle_is_sound(bundle, i, settings, names))
			bundle_copy(&writer, bundle, i, names);
	bundle_write(&writer, settings, fd, name);
	bundle_writer_free(&writer);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle bundle;
	unsigned char *bytes = malloc(size + 1);
	if (!bytes)
		abort();
	memcpy(bytes, data, size);
	bundle_mend(bytes, size);
	if (bundle_open(memory_file(bytes, size), settings, &bundle)) {
		char *names = bundle_names(&bundle);
		for (size_t i = 0; names && i < bundle.header.count; i++)
			look_up(&bundle, names, i);
		if (names)
			copy_all(&bundle, names);
		bundle_write_days(&bundle);
		free(names);
		bundle_close(&bundle);
	}
	free(bytes);
	return 0;
}
