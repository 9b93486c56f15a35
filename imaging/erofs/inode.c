/* SPDX-License-Identifier: MIT */
#include "imaging/erofs/inode.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "imaging/erofs/format.h"

static bool is_extended(const struct erofs_node *node)
{
	return node->size > UINT32_MAX || node->links > UINT16_MAX || node->gid > UINT16_MAX ||
		node->uid > UINT16_MAX;
}

uint32_t erofs_inode_bytes(const struct erofs_node *node)
{
	return is_extended(node) ? sizeof(struct erofs_inode_extended)
				 : sizeof(struct erofs_inode_compact);
}

static uint16_t xattr_count(const struct erofs_node *node)
{
	const size_t head = sizeof(struct erofs_xattr_head);
	return htole16((uint16_t)(node->xattr_bytes ? (node->xattr_bytes - head) / 4 + 1 : 0));
}

static void write_extended(const struct erofs_node *node, void *into)
{
	const struct erofs_inode_extended inode = {
		.format = htole16((uint16_t)(node->layout << 1 | EROFS_EXTENDED)),
		.xattrs = xattr_count(node),
		.mode = htole16((uint16_t)node->mode),
		.size = htole64(node->size),
		.start = htole32(node->start),
		.number = htole32(node->number),
		.uid = htole32(node->uid),
		.gid = htole32(node->gid),
		.mtime = htole64(node->time),
		.links = htole32(node->links)};
	memcpy(into, &inode, sizeof inode);
}

void erofs_inode_write(const struct erofs_node *node, void *into)
{
	if (is_extended(node)) {
		write_extended(node, into);
		return;
	}
	const struct erofs_inode_compact inode = {.format = htole16((uint16_t)(node->layout << 1)),
		.xattrs = xattr_count(node),
		.mode = htole16((uint16_t)node->mode),
		.links = htole16((uint16_t)node->links),
		.size = htole32((uint32_t)node->size),
		.start = htole32(node->start),
		.number = htole32(node->number),
		.uid = htole16((uint16_t)node->uid),
		.gid = htole16((uint16_t)node->gid)};
	memcpy(into, &inode, sizeof inode);
}

/* ---- directories ---- */

const struct erofs_entry erofs_dot = {.name = ".", .name_length = 1, .type = EROFS_TYPE_DIRECTORY};
const struct erofs_entry erofs_dot_dot = {
	.name = "..", .name_length = 2, .type = EROFS_TYPE_DIRECTORY};

uint64_t erofs_nid(uint64_t place)
{
	return place / EROFS_SLOT;
}

int erofs_entry_compare(const void *a, const void *b)
{
	const struct erofs_entry *x = a, *y = b;
	const size_t shorter = x->name_length < y->name_length ? x->name_length : y->name_length;
	const int order = memcmp(x->name, y->name, shorter);
	return order ? order
		     : (x->name_length > y->name_length) - (x->name_length < y->name_length);
}

void erofs_entries_sort(struct erofs_entry *entries, size_t n)
{
	qsort(entries, n, sizeof *entries, erofs_entry_compare);
}

/* Counts the entries that fit into a block, and the bytes that they occupy there. */
static size_t fill_block(const struct erofs_entry *entries, size_t n, size_t *bytes)
{
	size_t count = 0;
	*bytes = 0;
	while (count < n &&
		*bytes + sizeof(struct erofs_dirent) + entries[count].name_length <= EROFS_BLOCK)
		*bytes += sizeof(struct erofs_dirent) + entries[count++].name_length;
	return count;
}

uint64_t erofs_directory_bytes(const struct erofs_entry *entries, size_t n)
{
	uint64_t blocks = 0;
	for (;;) {
		size_t bytes;
		const size_t count = fill_block(entries, n, &bytes);
		if (count == n)
			return blocks * EROFS_BLOCK + bytes;
		blocks++;
		entries += count;
		n -= count;
	}
}

size_t erofs_directory_block(const struct erofs_entry *entries, size_t n, unsigned char *into)
{
	size_t bytes;
	const size_t count = fill_block(entries, n, &bytes);
	size_t name = count * sizeof(struct erofs_dirent);
	for (size_t i = 0; i < count; i++) {
		const struct erofs_dirent entry = {.nid = htole64(entries[i].nid),
			.name_offset = htole16((uint16_t)name),
			.type = entries[i].type};
		memcpy(into + i * sizeof entry, &entry, sizeof entry);
		memcpy(into + name, entries[i].name, entries[i].name_length);
		name += entries[i].name_length;
	}
	return count;
}
