/* SPDX-License-Identifier: MIT */
/*
 * Makes an object's sizes consistent and its hashes valid, so that a fuzzer gets past those checks.
 * Included after xxhash.h and imaging/cache/object.h.
 */
#ifndef MVM_TESTS_OBJECT_MEND_H
#define MVM_TESTS_OBJECT_MEND_H

#include <string.h>

static inline void object_mend(
	unsigned char *bytes, size_t size, const struct object_identity *identity)
{
	struct object_footer f;
	if (size < sizeof f)
		return;
	const uint64_t room = size - sizeof f;
	memcpy(&f, bytes + room, sizeof f);
	memcpy(f.magic, "MVMOBJ\n", sizeof f.magic);
	f.name_hash = object_name_hash(identity);
	f.data_bytes %= room + 1;
	f.tables_offset = object_tables_offset(f.data_bytes);
	if (f.tables_offset > room)
		f.data_bytes = f.tables_offset = 0;
	f.fragments %= (uint32_t)((room - f.tables_offset) / sizeof(struct object_fragment) + 1);
	f.records_bytes = room - f.tables_offset - f.fragments * sizeof(struct object_fragment);
	memset(bytes + f.data_bytes, 0, f.tables_offset - f.data_bytes);
	const XXH128_hash_t data = XXH3_128bits(bytes, f.data_bytes),
			    tables = XXH3_128bits(bytes + f.tables_offset, room - f.tables_offset);
	f.data_hash[0] = data.low64;
	f.data_hash[1] = data.high64;
	f.tables_hash[0] = tables.low64;
	f.tables_hash[1] = tables.high64;
	f.footer_hash = object_footer_hash(&f);
	memcpy(bytes + room, &f, sizeof f);
}

#endif
