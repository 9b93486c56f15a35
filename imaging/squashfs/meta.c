/* SPDX-License-Identifier: MIT */
#include "imaging/squashfs/meta.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd_errors.h>

#include "base/arena.h"
#include "base/ending.h"

enum { SMALL_DIRECTORY_MAX = 0xffff, INDEX_MAX = 0xffff };

uint64_t meta_position(const struct meta_stream *stream)
{
	return (uint64_t)stream->stored.n << 16 | stream->n;
}

void meta_flush(struct meta_stream *stream)
{
	if (stream->n == 0)
		return;
	unsigned char packed[SQUASHFS_METADATA_SIZE];
	size_t size =
		ZSTD_compress2(stream->compressor, packed, stream->n - 1, stream->block, stream->n);
	const bool raw = ZSTD_isError(size);
	if (raw && ZSTD_getErrorCode(size) != ZSTD_error_dstSize_tooSmall)
		ending_fatal("zstd cannot compress: %s", ZSTD_getErrorName(size));
	if (raw)
		size = stream->n;
	const uint16_t header = htole16((uint16_t)(raw ? size | SQUASHFS_COMPRESSED_BIT : size));
	buf_add(&stream->stored, &header, sizeof header);
	buf_add(&stream->stored, raw ? stream->block : packed, size);
	stream->n = 0;
}

void meta_add(struct meta_stream *stream, const void *bytes, size_t count)
{
	for (const unsigned char *from = bytes; count;) {
		size_t part = SQUASHFS_METADATA_SIZE - stream->n;
		if (part > count)
			part = count;
		memcpy(stream->block + stream->n, from, part);
		stream->n += part;
		from += part;
		count -= part;
		if (stream->n == SQUASHFS_METADATA_SIZE)
			meta_flush(stream);
	}
}

void meta_add_blocks(struct buf *tail, uint64_t tail_start, ZSTD_CCtx *compressor,
	const void *table, size_t count, struct buf *places)
{
	struct meta_stream stream = {.compressor = compressor};
	for (size_t at = 0; at < count; at += SQUASHFS_METADATA_SIZE) {
		const uint64_t place = htole64(tail_start + tail->n + stream.stored.n);
		buf_add(places, &place, sizeof place);
		size_t left = count - at;
		meta_add(&stream, (const char *)table + at,
			left < SQUASHFS_METADATA_SIZE ? left : SQUASHFS_METADATA_SIZE);
		meta_flush(&stream);
	}
	buf_add(tail, stream.stored.p, stream.stored.n);
	buf_free(&stream.stored);
}

uint64_t meta_add_table(struct buf *tail, uint64_t tail_start, ZSTD_CCtx *compressor,
	const void *table, size_t count)
{
	BUF_CLEANUP struct buf places = {0};
	meta_add_blocks(tail, tail_start, compressor, table, count, &places);
	const uint64_t list = tail_start + tail->n;
	buf_add(tail, places.p, places.n);
	return list;
}

static struct squashfs_base_inode base_inode(const struct inode_tables *tables, uint16_t type,
	uint16_t mode, uint32_t number, const struct inode_owner *owner)
{
	return (struct squashfs_base_inode){.inode_type = htole16(type),
		.mode = htole16(mode),
		.uid = htole16(owner->uid),
		.guid = htole16(owner->gid),
		.mtime = htole32(tables->time),
		.inode_number = htole32(number)};
}

uint64_t inode_add_symlink(struct inode_tables *tables, uint32_t number,
	const struct inode_owner *owner, const char *target, uint32_t length)
{
	const uint64_t position = meta_position(&tables->inodes);
	const struct squashfs_symlink_inode inode = {
		.base = base_inode(tables, SQUASHFS_SYMLINK_TYPE, 0777, number, owner),
		.nlink = htole32(1),
		.symlink_size = htole32(length)};
	meta_add(&tables->inodes, &inode, sizeof inode);
	meta_add(&tables->inodes, target, length);
	return position;
}

static void add_large_file(struct inode_tables *tables, const struct regular_file *file)
{
	const struct squashfs_lreg_inode inode = {.base = base_inode(tables, SQUASHFS_LREG_TYPE,
							  file->mode, file->number, &file->owner),
		.start_block = htole64(file->start),
		.file_size = htole64(file->size),
		.sparse = htole64(file->sparse),
		.nlink = htole32(1),
		.fragment = htole32(file->fragment),
		.offset = htole32(file->fragment_offset),
		.xattr = htole32(file->owner.xattr)};
	meta_add(&tables->inodes, &inode, sizeof inode);
}

static void add_plain_file(struct inode_tables *tables, const struct regular_file *file)
{
	const struct squashfs_reg_inode inode = {.base = base_inode(tables, SQUASHFS_REG_TYPE,
							 file->mode, file->number, &file->owner),
		.start_block = htole32((uint32_t)file->start),
		.fragment = htole32(file->fragment),
		.offset = htole32(file->fragment_offset),
		.file_size = htole32((uint32_t)file->size)};
	meta_add(&tables->inodes, &inode, sizeof inode);
}

uint64_t inode_add_file(struct inode_tables *tables, const struct regular_file *file)
{
	const uint64_t position = meta_position(&tables->inodes);
	if (file->start > UINT32_MAX || file->size > UINT32_MAX || file->sparse ||
		file->owner.xattr != SQUASHFS_INVALID_XATTR)
		add_large_file(tables, file);
	else
		add_plain_file(tables, file);
	for (uint32_t i = 0; i < file->blocks; i++) {
		const uint32_t size = htole32(file->block_sizes[i]);
		meta_add(&tables->inodes, &size, sizeof size);
	}
	return position;
}

/* As the kernel's new_encode_dev (include/linux/kdev_t.h). */
static uint32_t device_number(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

uint64_t inode_add_special(struct inode_tables *tables, const struct special *special)
{
	const uint64_t position = meta_position(&tables->inodes);
	const bool is_device =
		special->type == SQUASHFS_BLKDEV_TYPE || special->type == SQUASHFS_CHRDEV_TYPE;
	const struct squashfs_dev_inode inode = {
		.base = base_inode(
			tables, special->type, special->mode, special->number, &special->owner),
		.nlink = htole32(1),
		.rdev = htole32(device_number(special->major, special->minor))};
	meta_add(&tables->inodes, &inode, sizeof inode - (is_device ? 0 : sizeof inode.rdev));
	return position;
}

/* ---- directories ---- */

/*
 * Counts the entries that fit after one header: their inodes are in the same block and their
 * numbers differ by at most 16 bits.
 */
static size_t run_length(const struct directory_entry *entries, size_t n)
{
	size_t length = 1;
	while (length < n && length < SQUASHFS_DIR_COUNT &&
		entries[length].inode >> 16 == entries[0].inode >> 16) {
		const int64_t distance = (int64_t)entries[length].number - entries[0].number;
		if (distance < INT16_MIN || distance > INT16_MAX)
			break;
		length++;
	}
	return length;
}

static uint32_t add_run(struct meta_stream *stream, const struct directory_entry *entries, size_t n)
{
	const struct squashfs_dir_header header = {.count = htole32((uint32_t)n - 1),
		.start_block = htole32((uint32_t)(entries[0].inode >> 16)),
		.inode_number = htole32(entries[0].number)};
	meta_add(stream, &header, sizeof header);
	uint32_t bytes = sizeof header;
	for (size_t i = 0; i < n; i++) {
		const uint32_t distance = entries[i].number - entries[0].number;
		const struct squashfs_dir_entry entry = {
			.offset = htole16((uint16_t)(entries[i].inode & 0xffff)),
			.inode_number = (int16_t)htole16((uint16_t)distance),
			.type = htole16(entries[i].type),
			.size = htole16((uint16_t)(entries[i].name_length - 1))};
		meta_add(stream, &entry, sizeof entry);
		meta_add(stream, entries[i].name, entries[i].name_length);
		bytes += (uint32_t)sizeof entry + entries[i].name_length;
	}
	return bytes;
}

struct listing {
	uint64_t position;
	uint32_t bytes;
	struct buf index; /* repeated: struct squashfs_dir_index, name */
	uint32_t index_entries;
};

static size_t entries_bytes(const struct directory *directory)
{
	size_t bytes = 0;
	for (size_t i = 0; i < directory->n; i++)
		bytes += sizeof(struct squashfs_dir_entry) + directory->entries[i].name_length;
	return bytes;
}

static void listing_add_index(
	struct listing *listing, uint32_t block, const struct directory_entry *first)
{
	const struct squashfs_dir_index entry = {.index = htole32(listing->bytes),
		.start_block = htole32(block),
		.size = htole32((uint32_t)first->name_length - 1)};
	buf_add(&listing->index, &entry, sizeof entry);
	buf_add(&listing->index, first->name, first->name_length);
	listing->index_entries++;
}

static struct listing listing_write(struct meta_stream *stream, const struct directory *directory)
{
	struct listing listing = {.position = meta_position(stream)};
	/* A listing of less than a block is found without an index. */
	const bool indexed = entries_bytes(directory) > SQUASHFS_METADATA_SIZE;
	size_t block = stream->stored.n;
	for (size_t i = 0; i < directory->n;) {
		const struct directory_entry *entries = directory->entries + i;
		if (indexed && stream->stored.n != block && listing.index_entries < INDEX_MAX) {
			block = stream->stored.n;
			listing_add_index(&listing, (uint32_t)block, entries);
		}
		const size_t n = run_length(entries, directory->n - i);
		listing.bytes += add_run(stream, entries, n);
		i += n;
	}
	return listing;
}

static uint32_t count_links(const struct directory *directory)
{
	uint32_t links = 2;
	for (size_t i = 0; i < directory->n; i++)
		links += directory->entries[i].type == SQUASHFS_DIR_TYPE;
	return links;
}

static void add_large_directory(struct inode_tables *tables, const struct directory *d,
	struct squashfs_base_inode base, const struct listing *listing)
{
	base.inode_type = htole16(SQUASHFS_LDIR_TYPE);
	const struct squashfs_ldir_inode inode = {.base = base,
		.nlink = htole32(count_links(d)),
		.file_size = htole32(listing->bytes + SQUASHFS_LISTING_OVERHEAD),
		.start_block = htole32((uint32_t)(listing->position >> 16)),
		.parent_inode = htole32(d->parent),
		.i_count = htole16((uint16_t)listing->index_entries),
		.offset = htole16((uint16_t)(listing->position & 0xffff)),
		.xattr = htole32(d->owner.xattr)};
	meta_add(&tables->inodes, &inode, sizeof inode);
	meta_add(&tables->inodes, listing->index.p, listing->index.n);
}

static void add_plain_directory(struct inode_tables *tables, const struct directory *d,
	struct squashfs_base_inode base, const struct listing *listing)
{
	const struct squashfs_dir_inode inode = {.base = base,
		.start_block = htole32((uint32_t)(listing->position >> 16)),
		.nlink = htole32(count_links(d)),
		.file_size = htole16((uint16_t)(listing->bytes + SQUASHFS_LISTING_OVERHEAD)),
		.offset = htole16((uint16_t)(listing->position & 0xffff)),
		.parent_inode = htole32(d->parent)};
	meta_add(&tables->inodes, &inode, sizeof inode);
}

uint64_t inode_add_directory(struct inode_tables *tables, const struct directory *directory)
{
	struct listing listing = listing_write(&tables->directories, directory);
	const uint64_t position = meta_position(&tables->inodes);
	struct squashfs_base_inode base = base_inode(
		tables, SQUASHFS_DIR_TYPE, directory->mode, directory->number, &directory->owner);
	if (listing.index_entries || directory->owner.xattr != SQUASHFS_INVALID_XATTR ||
		listing.bytes + SQUASHFS_LISTING_OVERHEAD > SMALL_DIRECTORY_MAX)
		add_large_directory(tables, directory, base, &listing);
	else
		add_plain_directory(tables, directory, base, &listing);
	buf_free(&listing.index);
	return position;
}
