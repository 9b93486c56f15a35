/* SPDX-License-Identifier: MIT */
/*
 * meta: streams of metadata, compressed in blocks of 8 KiB, and the inodes and directories in them.
 */
#ifndef MVM_IMAGING_SQUASHFS_META_H
#define MVM_IMAGING_SQUASHFS_META_H

#include <stddef.h>
#include <stdint.h>
#include <zstd.h>

#include "base/buf.h"
#include "imaging/squashfs/format.h"

struct meta_stream {
	struct buf stored;                           /* finished blocks */
	unsigned char block[SQUASHFS_METADATA_SIZE]; /* the block being filled */
	size_t n;
	ZSTD_CCtx *compressor; /* not owned */
};

/*
 * Returns the position of the next byte as a squashfs reference: the block's offset in the stream
 * << 16 | the offset in the block.
 */
uint64_t meta_position(const struct meta_stream *stream);
void meta_add(struct meta_stream *stream, const void *bytes, size_t count);
void meta_flush(struct meta_stream *stream);

/*
 * Appends a table of `count` bytes to the tail of the image, which starts at `tail_start`, and the
 * positions of its blocks to `places`.
 */
void meta_add_blocks(struct buf *tail, uint64_t tail_start, ZSTD_CCtx *compressor,
	const void *table, size_t count, struct buf *places);

/* As meta_add_blocks, with the list of positions after the table. Returns the list's position. */
uint64_t meta_add_table(struct buf *tail, uint64_t tail_start, ZSTD_CCtx *compressor,
	const void *table, size_t count);

/* The tables of all inodes, and their common mtime. */
struct inode_tables {
	struct meta_stream inodes, directories;
	uint32_t time;
};

/* The owner of an inode, and its extended attributes. */
struct inode_owner {
	uint16_t uid, gid; /* indices into the id table */
	uint32_t xattr;    /* index of the extended attributes, or SQUASHFS_INVALID_XATTR */
};

struct directory_entry {
	const char *name; /* without a 0 byte */
	uint32_t number;
	uint64_t inode; /* its position */
	uint8_t name_length, type;
};

struct directory {
	const struct directory_entry *entries; /* sorted by the bytes of the name */
	size_t n;
	uint16_t mode;
	uint32_t number, parent;
	struct inode_owner owner;
};

/* All return the position of the new inode. */
uint64_t inode_add_directory(struct inode_tables *tables, const struct directory *directory);
uint64_t inode_add_symlink(struct inode_tables *tables, uint32_t number,
	const struct inode_owner *owner, const char *target, uint32_t length);

/* A device, pipe or socket. */
struct special {
	uint16_t type, mode; /* SQUASHFS_BLKDEV_TYPE, … */
	uint32_t number;
	struct inode_owner owner;
	uint32_t major, minor; /* of a device */
};
uint64_t inode_add_special(struct inode_tables *tables, const struct special *special);

struct regular_file {
	uint16_t mode;
	uint32_t number;
	struct inode_owner owner;
	uint64_t start, size, sparse;
	uint32_t fragment, fragment_offset;
	const uint32_t *block_sizes;
	uint32_t blocks;
};
uint64_t inode_add_file(struct inode_tables *tables, const struct regular_file *file);

#endif
