/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/xattr.h"

#include <endian.h>
#include <string.h>

#include "base/arena.h"
#include "imaging/erofs/format.h"

/* The prefixes that erofs stores as numbers. */
static const struct attribute_prefix prefixes[] = {{"user.", 1}, {"trusted.", 4}, {"security.", 6}};

static size_t prefix_of(const struct extended_attribute *attribute, unsigned *index)
{
	return attribute_prefix(attribute, prefixes, countof(prefixes), index);
}

static uint32_t entry_bytes(const struct extended_attribute *attribute, size_t prefix)
{
	const size_t bytes = sizeof(struct erofs_xattr_entry) + attribute->name_bytes - prefix +
		attribute->value_bytes;
	return (uint32_t)((bytes + 3) & ~(size_t)3);
}

uint32_t erofs_xattr_bytes(struct attributes attributes)
{
	uint32_t bytes = 0;
	unsigned index;
	for (struct extended_attribute one; attributes_next(&attributes, &one);) {
		const size_t prefix = prefix_of(&one, &index);
		bytes += prefix ? entry_bytes(&one, prefix) : 0;
	}
	return bytes ? (bytes + (uint32_t)sizeof(struct erofs_xattr_head) + EROFS_SLOT - 1) &
			~(uint32_t)(EROFS_SLOT - 1)
		     : 0;
}

void erofs_xattr_write(struct attributes attributes, unsigned char *into)
{
	into += sizeof(struct erofs_xattr_head);
	for (struct extended_attribute one; attributes_next(&attributes, &one);) {
		unsigned index;
		const size_t prefix = prefix_of(&one, &index);
		if (!prefix)
			continue;
		const uint32_t name = one.name_bytes - (uint32_t)prefix;
		const struct erofs_xattr_entry entry = {.name_bytes = (uint8_t)name,
			.index = (uint8_t)index,
			.value_bytes = htole16((uint16_t)one.value_bytes)};
		memcpy(into, &entry, sizeof entry);
		memcpy(into + sizeof entry, one.name + prefix, name);
		memcpy(into + sizeof entry + name, one.value, one.value_bytes);
		into += entry_bytes(&one, prefix);
	}
}
