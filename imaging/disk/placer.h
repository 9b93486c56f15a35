/* SPDX-License-Identifier: MIT */
/*
 * placer: places the data of objects in an image, and translates positions in the object to the
 * image.
 */
#ifndef MVM_IMAGING_DISK_PLACER_H
#define MVM_IMAGING_DISK_PLACER_H

#include <stdbool.h>
#include <stdint.h>

#include "imaging/cache/object.h"

struct image_writer;
struct placer;

/* Data is placed from `start` on. */
struct placer *placer_new(struct image_writer *image, uint64_t start);
void placer_free(struct placer *placer);

/* Consecutive blocks of one file, or a fragment. */
struct run {
	uint64_t start, bytes, hash; /* in the object's data */
};

/* Adds a run of the object that is added next. Only runs can be shared with later objects. */
void placer_note_run(struct placer *placer, struct run run);
/*
 * Copies the object's data, except blocks that an earlier object has brought, as far as they fill
 * whole pages. The copied data keeps its offset within a page, so that a file system can share it
 * with the object's file. False with errno set.
 */
bool placer_add(struct placer *placer, const struct object *object);
/* Returns where `start`, a position in the data of the object added last, is in the image. */
uint64_t placer_locate(const struct placer *placer, uint64_t start);
/*
 * Makes the object to be added one whose data the caller has written to reserved pages: positions
 * in its data are those in the image.
 */
void placer_add_placed(struct placer *placer);
/* Reserves whole pages at the end of the image and returns their position. */
uint64_t placer_reserve(struct placer *placer, uint64_t bytes);
/* Writes the data that is still in memory; `*end` is the end of the data. */
bool placer_finish(struct placer *placer, uint64_t *end);

#endif
