/* SPDX-License-Identifier: MIT */
/* placer: puts the data of objects into an image and says where everything came to lie. */
#ifndef MVM_IMAGING_DISK_PLACER_H
#define MVM_IMAGING_DISK_PLACER_H

#include <stdbool.h>
#include <stdint.h>

#include "imaging/cache/object.h"

struct image_writer;
struct placer;

/* Data goes from `start` on. */
struct placer *placer_new(struct image_writer *image, uint64_t start);
void placer_free(struct placer *placer);

/* Blocks that belong together: those of one file, or a fragment. */
struct run {
	uint64_t start, bytes, hash; /* in the object's data */
};

/* What the object to be added next has. Only runs can be found again in later objects. */
void placer_note_run(struct placer *placer, struct run run);
/*
 * Copies the object's data. Blocks that an earlier object brought already are left out, as far as
 * whole pages go: what stays keeps its place within a page, so that a file system can share it with
 * the object's file. False with errno set.
 */
bool placer_add(struct placer *placer, const struct object *object);
/* Where `start`, a position in the data of the object added last, is in the image. */
uint64_t placer_locate(const struct placer *placer, uint64_t start);
/* Takes whole pages at the end of the image for something else; their place. */
uint64_t placer_reserve(struct placer *placer, uint64_t bytes);
/* Writes what is still in memory; `*end` is where the data ends. */
bool placer_finish(struct placer *placer, uint64_t *end);

#endif
