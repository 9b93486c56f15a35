/* SPDX-License-Identifier: MIT */
/*
 * format: the on-disk format of EROFS, as far as we read and write it. Based on the kernel's
 * Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h. All numbers are little-endian; a
 * block has 4 KiB.
 *
 * An inode is at a multiple of 32 bytes, whose number is its "nid". It is followed, in a compressed
 * file, by a header and the indexes of its clusters, and then by the inline tail of its contents,
 * which must not cross the end of a block.
 */
#ifndef MVM_IMAGING_EROFS_FORMAT_H
#define MVM_IMAGING_EROFS_FORMAT_H

#include <stdint.h>

enum {
	EROFS_BLOCK_BITS = 12,
	EROFS_BLOCK = 1 << EROFS_BLOCK_BITS,
	EROFS_SLOT = 32,
	EROFS_SUPER_OFFSET = 1024,
	/* of the compressors' configurations, with EROFS_FEATURE_COMPR_CFGS */
	EROFS_CONFIGS_OFFSET = 1152,
};
#define EROFS_MAGIC 0xe0f5e1e2u

/* feature_compat */
enum { EROFS_FEATURE_CHECKSUM = 1, EROFS_FEATURE_MTIME = 2 };

/* feature_incompat */
enum {
	EROFS_FEATURE_ZERO_PADDING = 0x01,
	EROFS_FEATURE_COMPR_CFGS = 0x02, /* also allows clusters of several blocks */
	EROFS_FEATURE_ZTAILPACKING = 0x10,
};

struct erofs_super {
	uint32_t magic;
	uint32_t checksum; /* CRC-32C of the rest of the block, computed with 0 here */
	uint32_t feature_compat;
	uint8_t block_bits;
	uint8_t extension_slots;
	uint16_t root_nid;
	uint64_t inodes;
	uint64_t time; /* of all compact inodes */
	uint32_t time_nsec;
	uint32_t blocks;
	uint32_t meta_block; /* nids count from here */
	uint32_t xattr_block;
	uint8_t uuid[16];
	char label[16];
	uint32_t feature_incompat;
	/* bits, with EROFS_FEATURE_COMPR_CFGS; else the maximum distance of LZ4 references */
	uint16_t algorithms;
	uint16_t extra_devices;
	uint16_t device_slots;
	uint8_t directory_bits;
	uint8_t xattr_prefixes;
	uint32_t xattr_prefix_start;
	uint64_t packed_nid;
	uint8_t reserved[24];
} __attribute__((packed));

/* The layout of an inode, in bits 1 to 3 of its format; bit 0 marks an extended inode. */
enum { EROFS_EXTENDED = 1, EROFS_PLAIN = 0, EROFS_INLINE = 2, EROFS_COMPRESSED = 3 };

struct erofs_inode_compact {
	uint16_t format;
	uint16_t xattrs;
	uint16_t mode;
	uint16_t links;
	uint32_t size;
	uint32_t reserved;
	uint32_t start; /* first block; in compressed files the number of blocks */
	uint32_t number;
	uint16_t uid, gid;
	uint32_t reserved2;
} __attribute__((packed));

struct erofs_inode_extended {
	uint16_t format;
	uint16_t xattrs;
	uint16_t mode;
	uint16_t reserved;
	uint64_t size;
	uint32_t start;
	uint32_t number;
	uint32_t uid, gid;
	uint64_t mtime;
	uint32_t mtime_nsec;
	uint32_t links;
	uint8_t reserved2[16];
} __attribute__((packed));

struct erofs_dirent {
	uint64_t nid;
	uint16_t name_offset; /* in its block */
	uint8_t type;
	uint8_t reserved;
} __attribute__((packed));

enum {
	EROFS_TYPE_FILE = 1,
	EROFS_TYPE_DIRECTORY,
	EROFS_TYPE_CHARACTER_DEVICE,
	EROFS_TYPE_BLOCK_DEVICE,
	EROFS_TYPE_FIFO,
	EROFS_TYPE_SOCKET,
	EROFS_TYPE_SYMLINK,
};

/*
 * Extended attributes follow the inode, whose `xattrs` counts their bytes after the head in units
 * of 4, plus 1.
 */
struct erofs_xattr_head {
	uint32_t name_filter;
	uint8_t shared;
	uint8_t reserved[7];
} __attribute__((packed));

struct erofs_xattr_entry {
	uint8_t name_bytes, index; /* `index` stands for the name's prefix */
	uint16_t value_bytes;
} __attribute__((packed)); /* followed by name and value, at a multiple of 4 */

/* Precedes the indexes of a compressed file. */
struct erofs_map_header {
	uint16_t reserved;
	uint16_t tail_bytes; /* with EROFS_ADVISE_INLINE */
	uint16_t advise;
	uint8_t algorithms;
	uint8_t cluster_bits;
} __attribute__((packed));

enum { EROFS_ADVISE_2B = 1, EROFS_ADVISE_BIG = 6, EROFS_ADVISE_INLINE = 8 };

_Static_assert(sizeof(struct erofs_super) == 128, "on-disk size");
_Static_assert(sizeof(struct erofs_inode_compact) == 32, "on-disk size");
_Static_assert(sizeof(struct erofs_inode_extended) == 64, "on-disk size");
_Static_assert(sizeof(struct erofs_dirent) == 12, "on-disk size");
_Static_assert(sizeof(struct erofs_map_header) == 8, "on-disk size");

#endif
