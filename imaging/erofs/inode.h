/* SPDX-License-Identifier: MIT */
/* inode: writes inodes and directories in the on-disk format. */
#ifndef MVM_IMAGING_EROFS_INODE_H
#define MVM_IMAGING_EROFS_INODE_H

#include <stddef.h>
#include <stdint.h>

/* Extended inodes store the image's time. */
struct erofs_node {
	uint64_t size;
	uint32_t mode;   /* with the file type */
	uint32_t layout; /* EROFS_PLAIN, EROFS_INLINE, EROFS_COMPRESSED */
	uint32_t start;  /* block; in compressed files the number of blocks */
	uint32_t number; /* the 32-bit inode number, for programs that cannot handle 64 bits */
	uint32_t links, uid, gid, time;
	uint32_t xattr_bytes; /* of the extended attributes that follow; 0: none */
};

/* Returns 32, or 64 if the inode needs the extended form, without extended attributes. */
uint32_t erofs_inode_bytes(const struct erofs_node *node);
void erofs_inode_write(const struct erofs_node *node, void *into);

struct erofs_entry {
	const char *name; /* without a 0 byte */
	uint64_t nid;
	uint8_t name_length, type; /* EROFS_TYPE_… */
};

extern const struct erofs_entry erofs_dot, erofs_dot_dot; /* without a nid */

/* Returns the nid of the inode at this place in the image. */
uint64_t erofs_nid(uint64_t place);

/* Sorts entries in the order of the kernel's search; "." and ".." are sorted like others. */
void erofs_entries_sort(struct erofs_entry *entries, size_t n);
int erofs_entry_compare(const void *a, const void *b);
uint64_t erofs_directory_bytes(const struct erofs_entry *entries, size_t n);
/*
 * Writes a directory block that begins with the first of these entries, and returns the number of
 * entries in it. `into` is zeroed.
 */
size_t erofs_directory_block(const struct erofs_entry *entries, size_t n, unsigned char *into);

#endif
