/* SPDX-License-Identifier: MIT */
/*
 * Reads arbitrary bytes as a cache object. Hashes and sizes are corrected first, as in an object
 * that another (perhaps malicious) program wrote: even with valid hashes, no read may go out of
 * bounds.
 */
#include <string.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "imaging/cache/object.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/object_mend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads all parts that the linkers read. */
static unsigned walk(const struct object *object)
{
	unsigned sum = 0;
	for (uint32_t i = 0; i < object->footer.fragments; i++)
		sum += object->fragments[i].size_word;
	for (const struct object_record *r = NULL; (r = object_next(object, r));) {
		const unsigned char *byte = (const void *)r;
		for (size_t i = 0; i < object_record_bytes(r); i++)
			sum += byte[i];
		const struct object_record *original =
			r->type == OBJECT_FILE ? object_record_original(object, r) : NULL;
		if (original)
			sum += object_record_file(original)->fragment +
				*(const unsigned char *)object_record_name(original);
	}
	return sum;
}

static void open_file(
	const unsigned char *bytes, size_t size, const struct object_identity *identity)
{
	struct object object;
	struct stat st;
	volatile unsigned sum = 0;
	int fd = memory_file(bytes, size), own;
	if (fstat(fd, &st) != 0)
		abort();
	if (!object_open(fd, &st, identity, &object))
		return;
	sum += walk(&object);
	if (object_load(&object, &own)) {
		sum += walk(&object);
		close(own);
	}
	object_close(&object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct object_identity identity = {.name = "name", .settings = "settings"};
	struct object object;
	volatile unsigned sum = 0;
	unsigned char *bytes = malloc(size + 1);
	if (!bytes)
		abort();
	memcpy(bytes, data, size);
	object_mend(bytes, size, &identity);
	open_file(bytes, size, &identity);
	if (object_open_memory(
		    bytes, size, &identity, &object)) { /* takes ownership of the bytes */
		sum += walk(&object);
		object_close(&object);
	}
	return 0;
}
