/* SPDX-License-Identifier: MIT */
/* shelf: looks up objects that one cache has for one setting. */
#ifndef MVM_IMAGING_CACHE_SHELF_H
#define MVM_IMAGING_CACHE_SHELF_H

#include "base/arena.h"
#include "imaging/cache/bundle.h"
#include "imaging/cache/directory.h"

struct shelf {
	int objects, bundles; /* directories; -1 if missing */
	const char *path;     /* of `objects`, for messages */
	const char *settings;
	/* set for a cache that others fill; NULL for our own, whose uses are recorded */
	const struct cache_owners *owners;
	struct arena *arena;
	VEC(struct bundle) v;
	/* names of files in the place of bundles that are damaged or unreadable */
	struct strings broken;
};

/* Why an object that seems to be there was rejected. */
struct shelf_fault {
	enum object_fault fault; /* OBJECT_FAULTLESS: nothing was rejected */
	int error;               /* errno of OBJECT_UNREADABLE */
	/* name of the bundle that holds it; NULL: it has a file of its own */
	const char *bundle;
};

/*
 * Takes ownership of `objects`, a directory or -1. Unreadable files count as missing. False with an
 * error if the cache is not trusted.
 */
bool shelf_open(struct diag *diag, const char *path, int objects, const char *settings,
	const struct cache_owners *owners, struct shelf *out);
/*
 * Opens a shelf of a cache that others fill; an empty one if that cache has none for the setting.
 */
bool shelf_open_foreign(struct diag *diag, const char *cache, const char *settings,
	const struct cache_owners *owners, struct shelf *out);
/* Starts reading the bundles that are likely to be needed by that many lookups. */
void shelf_advise(const struct shelf *shelf, size_t lookups);
/* Records the uses. */
void shelf_close(struct shelf *shelf);

/*
 * False if there is no intact object; `fault` then says what was damaged or misplaced. Thread-safe.
 * With `discards`, a damaged file of our own cache is removed at once.
 */
bool shelf_find(const struct shelf *shelf, const struct object_identity *identity, bool discards,
	struct object *out, struct shelf_fault *fault);
/* Reads only the footer; the rest may be damaged. */
bool shelf_peek(const struct shelf *shelf, const struct object_identity *identity,
	struct object_footer *footer);

#endif
