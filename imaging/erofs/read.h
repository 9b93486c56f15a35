/* SPDX-License-Identifier: MIT */
/*
 * read: finds the contents of files in an image that mkfs.erofs made. The image is not trusted:
 * whatever is inconsistent is refused.
 */
#ifndef MVM_IMAGING_EROFS_READ_H
#define MVM_IMAGING_EROFS_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Fields of the super block that compressed files of this kind require. They are the same for all
 * images of one mkfs.erofs and one set of options.
 */
struct erofs_setup {
	uint32_t features;   /* incompatible ones, except those that only some files need */
	uint16_t algorithms; /* as in the super block */
	uint16_t config_bytes;
	unsigned char config[24]; /* the bytes at EROFS_CONFIGS_OFFSET */
};

struct erofs_image {
	const unsigned char *p;
	uint64_t n;
	uint64_t meta; /* nids count from this byte */
	uint64_t root; /* nid */
	struct erofs_setup setup;
	const char *wrong; /* why the last call failed */
};

/* Where the content of a file is; pointers into the image. */
struct erofs_content {
	uint64_t size;
	uint32_t layout; /* EROFS_PLAIN, EROFS_INLINE, EROFS_COMPRESSED */
	uint32_t start, blocks;
	const unsigned char *index; /* map header and indexes */
	const unsigned char *tail;
	uint32_t index_bytes, tail_bytes;
};

/* `bytes` must outlive the image. */
bool erofs_image_open(struct erofs_image *image, const void *bytes, uint64_t n);
bool erofs_image_lookup(struct erofs_image *image, uint64_t directory, const char *name,
	size_t length, uint64_t *nid);
bool erofs_image_content(struct erofs_image *image, uint64_t nid, struct erofs_content *content);

#endif
