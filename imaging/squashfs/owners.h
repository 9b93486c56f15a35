/* SPDX-License-Identifier: MIT */
/*
 * owners: the tables that an image of a root file system needs: numbers of users and groups, and
 * extended attributes. Inodes refer to both by index.
 */
#ifndef MVM_IMAGING_SQUASHFS_OWNERS_H
#define MVM_IMAGING_SQUASHFS_OWNERS_H

#include <stdbool.h>

#include "imaging/squashfs/meta.h"
#include "imaging/store/attributes.h"

struct owner_tables {
	struct buf ids;            /* uint32_t, as on disk */
	struct meta_stream values; /* names and values of extended attributes */
	struct buf sets;           /* struct squashfs_xattr_id, one for each file that has any */
};

void owner_tables_free(struct owner_tables *tables);

/* The index of a user's or group's number, which is added if it is new; false if it is full. */
bool owner_index(struct owner_tables *tables, uint32_t id, uint16_t *index);
/* The index of a file's extended attributes; SQUASHFS_INVALID_XATTR if it has none. */
uint32_t owner_attributes(struct owner_tables *tables, struct attributes attributes);

/*
 * Appends the table of extended attributes to the image's tail, which starts at `tail_start`.
 * Returns its position; SQUASHFS_INVALID_BLK if there are none.
 */
uint64_t owner_add_attributes(struct owner_tables *tables, struct buf *tail, uint64_t tail_start);

#endif
