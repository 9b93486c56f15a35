/* SPDX-License-Identifier: MIT */
/*
 * meta: blocks of metadata. Things are first given their places and then written, an object at a
 * time; blocks that have room left stay open for the objects to come.
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

/* New blocks are at `start`, a multiple of the block size, until erofs_meta_end. */
void erofs_meta_begin(struct erofs_meta *meta, uint64_t start);
/*
 * A place, at a multiple of 32, for so many bytes, of which the last `tail` are in one block. Whole
 * blocks get blocks of their own.
 */
uint64_t erofs_meta_place(struct erofs_meta *meta, uint64_t bytes, uint32_t tail);
/* The bytes of all new blocks so far. */
uint64_t erofs_meta_bytes(const struct erofs_meta *meta);
/*
 * The memory of a place that was given since the begin; zeros at first. Valid until the next call
 * that is not this one.
 */
unsigned char *erofs_meta_at(struct erofs_meta *meta, uint64_t place);
/* Writes what is complete; false with errno set. */
bool erofs_meta_end(struct erofs_meta *meta);
/* Writes the rest. */
bool erofs_meta_finish(struct erofs_meta *meta);

#endif
