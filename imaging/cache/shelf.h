/* SPDX-License-Identifier: MIT */
/* shelf: the objects that one cache has for one setting, to be looked up. */
#ifndef MVM_IMAGING_CACHE_SHELF_H
#define MVM_IMAGING_CACHE_SHELF_H

#include "base/arena.h"
#include "imaging/cache/bundle.h"
#include "imaging/cache/directory.h"

struct shelf {
	int objects, bundles; /* directories; -1 without */
	const char *path;     /* of `objects`, for messages */
	const char *settings;
	/* of a cache that others fill; NULL: our own, whose use is noted */
	const struct cache_owners *owners;
	struct arena *arena;
	VEC(struct bundle) v;
	/* names of what stands in the place of bundles and cannot be told to be one */
	struct strings broken;
};

/* Why an object was not taken that seems to be there. */
struct shelf_fault {
	enum object_fault fault; /* OBJECT_FAULTLESS: there is none */
	int error;               /* of OBJECT_UNREADABLE */
	const char *bundle;      /* the name of the one that holds it; NULL: a file of its own */
};

/*
 * Takes over `objects`, a directory or -1. What cannot be read is not there. False, with an error,
 * when it is not to be believed.
 */
bool shelf_open(struct diag *diag, const char *path, int objects, const char *settings,
	const struct cache_owners *owners, struct shelf *out);
/*
 * Opens a shelf of a cache that others fill; without objects where that cache has none of the
 * setting.
 */
bool shelf_open_foreign(struct diag *diag, const char *cache, const char *settings,
	const struct cache_owners *owners, struct shelf *out);
/* Has bundles read that are likely to be needed when so many objects are looked up. */
void shelf_advise(const struct shelf *shelf, size_t lookups);
/* Notes what was used. */
void shelf_close(struct shelf *shelf);

/*
 * False when there is none, or none that is sound: then `fault` says what was damaged or in the
 * way. Threads may look at the same time. With `discards`, a damaged file of our own goes at once.
 */
bool shelf_find(const struct shelf *shelf, const struct object_identity *identity, bool discards,
	struct object *out, struct shelf_fault *fault);
/* The footer alone; the rest may be damaged. */
bool shelf_peek(const struct shelf *shelf, const struct object_identity *identity,
	struct object_footer *footer);

#endif
