/* SPDX-License-Identifier: MIT */
#include "imaging/squashfs/owners.h"

#include <endian.h>
#include <string.h>

#include "base/arena.h"

enum { IDS_MAX = 0xffff };

/* The prefixes that squashfs stores as numbers. */
static const struct attribute_prefix prefixes[] = {{"user.", 0}, {"trusted.", 1}, {"security.", 2}};

void owner_tables_free(struct owner_tables *tables)
{
	buf_free(&tables->ids);
	buf_free(&tables->values.stored);
	buf_free(&tables->sets);
}

bool owner_index(struct owner_tables *tables, uint32_t id, uint16_t *index)
{
	const uint32_t wanted = htole32(id), *ids = (const void *)tables->ids.p;
	const size_t n = tables->ids.n / sizeof *ids;
	size_t i = 0;
	while (i < n && ids[i] != wanted)
		i++;
	if (i == IDS_MAX)
		return false;
	if (i == n)
		buf_add(&tables->ids, &wanted, sizeof wanted);
	*index = (uint16_t)i;
	return true;
}

static size_t prefix_of(const struct extended_attribute *attribute, unsigned *type)
{
	return attribute_prefix(attribute, prefixes, countof(prefixes), type);
}

/* Returns the bytes of the attribute's name, as listxattr(2) counts them; 0: it was left out. */
static uint32_t add_one(struct meta_stream *values, const struct extended_attribute *attribute)
{
	unsigned type;
	const size_t prefix = prefix_of(attribute, &type);
	if (prefix == 0)
		return 0;
	const struct squashfs_xattr_entry entry = {.type = htole16((uint16_t)type),
		.size = htole16((uint16_t)(attribute->name_bytes - prefix))};
	const uint32_t value_bytes = htole32(attribute->value_bytes);
	meta_add(values, &entry, sizeof entry);
	meta_add(values, attribute->name + prefix, attribute->name_bytes - prefix);
	meta_add(values, &value_bytes, sizeof value_bytes);
	meta_add(values, attribute->value, attribute->value_bytes);
	return attribute->name_bytes + 1;
}

uint32_t owner_attributes(struct owner_tables *tables, struct attributes attributes)
{
	struct squashfs_xattr_id set = {.xattr = htole64(meta_position(&tables->values))};
	uint32_t count = 0, bytes = 0;
	for (struct extended_attribute one; attributes_next(&attributes, &one);) {
		const uint32_t added = add_one(&tables->values, &one);
		count += added > 0;
		bytes += added;
	}
	if (count == 0)
		return SQUASHFS_INVALID_XATTR;
	set.count = htole32(count);
	set.size = htole32(bytes);
	buf_add(&tables->sets, &set, sizeof set);
	return (uint32_t)(tables->sets.n / sizeof set) - 1;
}

/* The kernel requires that the table ends with the image (fs/squashfs/xattr_id.c). */
uint64_t owner_add_attributes(struct owner_tables *tables, struct buf *tail, uint64_t tail_start)
{
	const uint32_t n = (uint32_t)(tables->sets.n / sizeof(struct squashfs_xattr_id));
	if (n == 0)
		return SQUASHFS_INVALID_BLK;
	const struct squashfs_xattr_id_table head = {
		.xattr_table_start = htole64(tail_start + tail->n), .xattr_ids = htole32(n)};
	meta_flush(&tables->values);
	buf_add(tail, tables->values.stored.p, tables->values.stored.n);
	BUF_CLEANUP struct buf places = {0};
	meta_add_blocks(tail, tail_start, tables->values.compressor, tables->sets.p, tables->sets.n,
		&places);
	const uint64_t at = tail_start + tail->n;
	buf_add(tail, &head, sizeof head);
	buf_add(tail, places.p, places.n);
	return at;
}
