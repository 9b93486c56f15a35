/* SPDX-License-Identifier: MIT */
/*
 * nodes: the inodes of one object after the other. All of an object's get their places first, and
 * then are written: a directory names its children's.
 */
#ifndef MVM_IMAGING_EROFS_NODES_H
#define MVM_IMAGING_EROFS_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "imaging/cache/object.h"
#include "imaging/disk/placer.h"
#include "imaging/erofs/inode.h"
#include "imaging/erofs/meta.h"

struct erofs_nodes;

/*
 * `placer` and `meta` stay the caller's and live as long. `root` is the nid of the image's root,
 * `time` that of every inode.
 */
struct erofs_nodes *erofs_nodes_new(
	struct placer *placer, struct erofs_meta *meta, uint64_t root, uint32_t time);
void erofs_nodes_free(struct erofs_nodes *nodes);

/*
 * Of the object whose data the placer got last; `meta` has begun. Numbers count from
 * `first_number`. `*top` is told the nid and the type of the path itself, `*features` gets what
 * reading needs. False when the object is damaged.
 */
bool erofs_nodes_add(struct erofs_nodes *nodes, const struct object *object, uint64_t first_number,
	struct erofs_entry *top, uint32_t *features);

#endif
