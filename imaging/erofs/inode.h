/* SPDX-License-Identifier: MIT */
/* inode: inodes and directories as they are on disk. */
#ifndef MVM_IMAGING_EROFS_INODE_H
#define MVM_IMAGING_EROFS_INODE_H

#include <stddef.h>
#include <stdint.h>

/* Owner and group are 0, and extended inodes have the image's time. */
struct erofs_node {
	uint64_t size;
	uint32_t mode;   /* with its type */
	uint32_t layout; /* EROFS_PLAIN, EROFS_INLINE, EROFS_COMPRESSED */
	uint32_t start;  /* block, or of compressed files the number of blocks */
	uint32_t number; /* for programs that know 32 bits only */
	uint32_t links, gid, time;
};

/* 32 or 64: what does not fit into the short form. */
uint32_t erofs_inode_bytes(const struct erofs_node *node);
void erofs_inode_write(const struct erofs_node *node, void *into);

struct erofs_entry {
	const char *name; /* without a 0 byte */
	uint64_t nid;
	uint8_t name_length, type; /* EROFS_TYPE_… */
};

extern const struct erofs_entry erofs_dot, erofs_dot_dot; /* without a nid */

/* How entries and the super block name the inode at this place of the image. */
uint64_t erofs_nid(uint64_t place);

/* Sorts them as the kernel looks for them. "." and ".." are entries like others. */
void erofs_entries_sort(struct erofs_entry *entries, size_t n);
int erofs_entry_compare(const void *a, const void *b);
uint64_t erofs_directory_bytes(const struct erofs_entry *entries, size_t n);
/*
 * Writes a block of the directory, which begins with the first of these entries; returns how many
 * are in it. `into` has zeros.
 */
size_t erofs_directory_block(const struct erofs_entry *entries, size_t n, unsigned char *into);

#endif
