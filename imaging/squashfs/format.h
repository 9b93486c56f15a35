/* SPDX-License-Identifier: MIT */
/*
 * format: the on-disk format of squashfs 4.0. Names and values are those of Linux's
 * fs/squashfs/squashfs_fs.h; all numbers are little-endian.
 */
#ifndef MVM_IMAGING_SQUASHFS_FORMAT_H
#define MVM_IMAGING_SQUASHFS_FORMAT_H

#include <stdint.h>

enum {
	SQUASHFS_MAGIC = 0x73717368,
	SQUASHFS_MAJOR = 4,
	SQUASHFS_MINOR = 0,

	SQUASHFS_METADATA_SIZE = 8192,
	SQUASHFS_NAME_LEN = 256,
	SQUASHFS_DIR_COUNT = 256,      /* most entries after one header */
	SQUASHFS_LISTING_OVERHEAD = 3, /* the size of a directory counts "." and ".." as 3 bytes */

	SQUASHFS_FLAG_DUPLICATES = 1 << 6,
	SQUASHFS_FLAG_NO_XATTRS = 1 << 9,

	SQUASHFS_DIR_TYPE = 1,
	SQUASHFS_REG_TYPE = 2,
	SQUASHFS_SYMLINK_TYPE = 3,
	SQUASHFS_BLKDEV_TYPE = 4,
	SQUASHFS_CHRDEV_TYPE = 5,
	SQUASHFS_FIFO_TYPE = 6,
	SQUASHFS_SOCKET_TYPE = 7,
	SQUASHFS_LDIR_TYPE = 8,
	SQUASHFS_LREG_TYPE = 9,

	SQUASHFS_COMPRESSION_ZSTD = 6,
};

#define SQUASHFS_INVALID_FRAG 0xffffffffu
#define SQUASHFS_INVALID_XATTR 0xffffffffu
#define SQUASHFS_INVALID_BLK 0xffffffffffffffffu

/* Set in a stored size if the bytes are not compressed. */
#define SQUASHFS_COMPRESSED_BIT 0x8000u
#define SQUASHFS_COMPRESSED_BIT_BLOCK (1u << 24)

#define SQUASHFS_PACKED __attribute__((packed))

struct squashfs_super_block {
	uint32_t s_magic, inodes, mkfs_time, block_size, fragments;
	uint16_t compression, block_log, flags, no_ids, s_major, s_minor;
	uint64_t root_inode, bytes_used;
	uint64_t id_table_start, xattr_id_table_start, inode_table_start, directory_table_start,
		fragment_table_start, lookup_table_start;
} SQUASHFS_PACKED;

struct squashfs_base_inode {
	uint16_t inode_type, mode, uid, guid; /* uid and guid index the id table */
	uint32_t mtime, inode_number;
} SQUASHFS_PACKED;

struct squashfs_dir_inode {
	struct squashfs_base_inode base;
	uint32_t start_block, nlink;
	uint16_t file_size, offset;
	uint32_t parent_inode;
} SQUASHFS_PACKED;

struct squashfs_ldir_inode {
	struct squashfs_base_inode base;
	uint32_t nlink, file_size, start_block, parent_inode;
	uint16_t i_count, offset;
	uint32_t xattr;
} SQUASHFS_PACKED; /* followed by i_count times: squashfs_dir_index, name */

struct squashfs_dir_index {
	uint32_t index;       /* bytes of the listing before the header that this entry refers to */
	uint32_t start_block; /* the metadata block in which the header starts */
	uint32_t size;        /* length of the name, minus one */
} SQUASHFS_PACKED;

struct squashfs_symlink_inode {
	struct squashfs_base_inode base;
	uint32_t nlink, symlink_size;
} SQUASHFS_PACKED; /* followed by the target */

struct squashfs_reg_inode {
	struct squashfs_base_inode base;
	uint32_t start_block, fragment, offset, file_size;
} SQUASHFS_PACKED; /* followed by block sizes */

struct squashfs_lreg_inode {
	struct squashfs_base_inode base;
	uint64_t start_block, file_size, sparse;
	uint32_t nlink, fragment, offset, xattr;
} SQUASHFS_PACKED; /* followed by block sizes */

struct squashfs_dev_inode {
	struct squashfs_base_inode base;
	uint32_t nlink, rdev;
} SQUASHFS_PACKED; /* a pipe or socket has no rdev */

struct squashfs_xattr_entry {
	uint16_t type, size;
} SQUASHFS_PACKED; /* followed by the name, the value's size in 32 bits, the value */

struct squashfs_xattr_id {
	uint64_t xattr; /* position of the first entry */
	uint32_t count, size;
} SQUASHFS_PACKED;

struct squashfs_xattr_id_table {
	uint64_t xattr_table_start;
	uint32_t xattr_ids, unused;
} SQUASHFS_PACKED; /* followed by the positions of blocks of squashfs_xattr_id */

struct squashfs_dir_header {
	uint32_t count; /* number of entries, minus one */
	uint32_t start_block, inode_number;
} SQUASHFS_PACKED;

struct squashfs_dir_entry {
	uint16_t offset;
	int16_t inode_number; /* minus the header's */
	uint16_t type;
	uint16_t size; /* length of the name, minus one */
} SQUASHFS_PACKED;

struct squashfs_fragment_entry {
	uint64_t start_block;
	uint32_t size, unused;
} SQUASHFS_PACKED;

_Static_assert(sizeof(struct squashfs_super_block) == 96, "super block");
_Static_assert(sizeof(struct squashfs_dir_inode) == 32, "dir inode");
_Static_assert(sizeof(struct squashfs_ldir_inode) == 40, "ldir inode");
_Static_assert(sizeof(struct squashfs_reg_inode) == 32, "reg inode");
_Static_assert(sizeof(struct squashfs_lreg_inode) == 56, "lreg inode");

#endif
