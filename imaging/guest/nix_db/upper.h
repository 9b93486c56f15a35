/* SPDX-License-Identifier: MIT */
/*
 * upper: the upper layer of the overlay on the store, before the overlay is mounted. For
 * overlayfs's marks see Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"
 * and "Non-directories".
 */
#ifndef MVM_IMAGING_GUEST_NIX_DB_UPPER_H
#define MVM_IMAGING_GUEST_NIX_DB_UPPER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

enum upper_kind {
	UPPER_WHITEOUT, /* hides an entry of a lower layer */
	/*
	 * copied from a lower layer when something in it was changed: without that layer it is
	 * incomplete
	 */
	UPPER_COPY,
	UPPER_OWN, /* created by the guest */
};

struct upper_entry {
	const char *name; /* in the store directory: HASH-NAME */
	enum upper_kind kind;
};

struct upper {
	struct arena *arena;
	const char *directory; /* NULL: no upper layer */
	const char *trash;     /* a directory beside it */
	VEC(struct upper_entry) entries;
};

/* Completes the removals of a killed run; O(1) if there are none. `directory` may be NULL. */
bool upper_open(struct arena *arena, const char *directory, struct upper *upper);
/* Lists the entries. */
bool upper_list(struct upper *upper);
/*
 * Moves an entry to the trash in one step. The move is durable after upper_sync, and the blocks are
 * free after upper_empty_trash.
 */
bool upper_drop(const struct upper *upper, const char *name);
bool upper_sync(const struct upper *upper);
bool upper_empty_trash(const struct upper *upper);

#endif
