/* SPDX-License-Identifier: MIT */
/*
 * nodes: writes the inodes of objects, one object after the other. Places of all inodes of an
 * object are allocated before they are written, because a directory refers to its children.
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
 * The caller owns `placer` and `meta`, which must outlive the nodes. `root` is the nid of the
 * image's root, `time` the mtime of every inode.
 */
struct erofs_nodes *erofs_nodes_new(
	struct placer *placer, struct erofs_meta *meta, uint64_t root, uint32_t time);
void erofs_nodes_free(struct erofs_nodes *nodes);

/*
 * Adds the object whose data was last added to the placer; `meta` has begun. Inode numbers count
 * from `first_number`. Sets nid and type of `*top`, the path itself, and adds to `*features` what a
 * reader must support. False if the object is damaged.
 */
bool erofs_nodes_add(struct erofs_nodes *nodes, const struct object *object, uint64_t first_number,
	struct erofs_entry *top, uint32_t *features);

#endif
