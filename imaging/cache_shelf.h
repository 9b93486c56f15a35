/* SPDX-License-Identifier: MIT */
/* cache_shelf: the objects that one cache has for one setting, to be looked up. */
#ifndef MVM_CACHE_SHELF_H
#define MVM_CACHE_SHELF_H

#include "compiler/base/arena.h"
#include "imaging/cache_directory.h"
#include "imaging/object_bundle.h"

struct shelf {
	int objects, bundles;             /* directories; -1 without */
	const char *settings;
	const struct cache_owners *owners; /* of a cache that others fill; NULL: our own, whose use is noted */
	struct arena *arena;
	VEC(struct bundle) v;
};

/* Takes over `objects`, a directory or -1. What cannot be read is not there. False, with an error, when it is not to be believed. */
bool shelf_open(struct diag *diag, const char *path, int objects, const char *settings, const struct cache_owners *owners, struct shelf *out);
/* Opens a shelf of a cache that others fill; without objects where that cache has none of the setting. */
bool shelf_open_foreign(struct diag *diag, const char *cache, const char *settings, const struct cache_owners *owners, struct shelf *out);
/* Has bundles read that are likely to be needed when so many objects are looked up. */
void shelf_advise(const struct shelf *shelf, size_t lookups);
/* Notes what was used. */
void shelf_close(struct shelf *shelf);

/* False when there is none, or none that is sound. Threads may look at the same time. */
bool shelf_find(const struct shelf *shelf, struct object_identity identity, struct object *out);
/* The footer alone; the rest may be damaged. */
bool shelf_peek(const struct shelf *shelf, const struct object_identity *identity, struct object_footer *footer);

#endif
