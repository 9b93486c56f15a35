/* SPDX-License-Identifier: MIT */
/*
 * meta: allocates and writes blocks of metadata. For each object, all places are allocated first
 * and then filled; blocks with free space stay open for later objects.
 */
#ifndef MVM_IMAGING_EROFS_META_H
#define MVM_IMAGING_EROFS_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct erofs_meta;
struct image_writer;

struct erofs_meta *erofs_meta_new(struct image_writer *image);
void erofs_meta_free(struct erofs_meta *meta);

/* Places new blocks at `start`, a multiple of the block size, until erofs_meta_end. */
void erofs_meta_begin(struct erofs_meta *meta, uint64_t start);
/*
 * Allocates `bytes` at a multiple of 32, such that the last `tail` bytes are in one block. Whole
 * blocks are not shared.
 */
uint64_t erofs_meta_place(struct erofs_meta *meta, uint64_t bytes, uint32_t tail);
/* Returns the bytes of all new blocks so far. */
uint64_t erofs_meta_bytes(const struct erofs_meta *meta);
/*
 * Returns the memory of a place that was allocated since erofs_meta_begin, initially zeros. Valid
 * until the next call of another function.
 */
unsigned char *erofs_meta_at(struct erofs_meta *meta, uint64_t place);
/* Writes the complete blocks; false with errno set. */
bool erofs_meta_end(struct erofs_meta *meta);
/* Writes the remaining blocks. */
bool erofs_meta_finish(struct erofs_meta *meta);

#endif
