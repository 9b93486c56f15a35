/* SPDX-License-Identifier: MIT */
/*
 * upper: the upper layer of the overlay on the store, before the overlay is mounted. How overlayfs
 * marks what it keeps there: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque
 * directories" and "Non-directories".
 */
#ifndef MVM_IMAGING_GUEST_NIX_DB_UPPER_H
#define MVM_IMAGING_GUEST_NIX_DB_UPPER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

enum upper_kind {
	UPPER_WHITEOUT, /* hides what a lower layer has */
	/*
	 * came from a lower layer when something in it was changed: without that layer it is not
	 * whole
	 */
	UPPER_COPY,
	UPPER_OWN, /* the guest made it */
};

struct upper_entry {
	const char *name; /* in the store directory: HASH-NAME */
	enum upper_kind kind;
};

struct upper {
	struct arena *arena;
	const char *directory; /* NULL: there is no upper layer */
	const char *trash;     /* beside it */
	VEC(struct upper_entry) entries;
};

/*
 * Finishes the removals of a run that was killed, and does no more: O(1) when there are none.
 * `directory` may be NULL.
 */
bool upper_open(struct arena *arena, const char *directory, struct upper *upper);
/* Reads what is there. */
bool upper_list(struct upper *upper);
/*
 * Takes an entry away in one step. It is gone for good after upper_sync, and its blocks are free
 * after upper_empty_trash.
 */
bool upper_drop(const struct upper *upper, const char *name);
bool upper_sync(const struct upper *upper);
bool upper_empty_trash(const struct upper *upper);

#endif
