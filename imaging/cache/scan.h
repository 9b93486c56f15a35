/* SPDX-License-Identifier: MIT */
/* scan: all that a cache has, for those who count it, clean it up and verify it. */
#ifndef MVM_IMAGING_CACHE_SCAN_H
#define MVM_IMAGING_CACHE_SCAN_H

#include "base/arena.h"
#include "imaging/cache/shelf.h"

enum { CACHE_USE_SECONDS = 24 * 60 * 60 };

struct cache_object {
	const char *name; /* of its store path; NULL when its bundle cannot tell */
	uint64_t name_hash, bytes;
	int64_t used;         /* seconds since 1970; maybe up to CACHE_USE_SECONDS later */
	size_t shelf;         /* index in the scan's */
	size_t bundle, entry; /* indices in the shelf's; SIZE_MAX: it has a file of its own */
};

struct cache_shelf {
	const char *settings, *path;
	struct shelf shelf;
	struct strings broken; /* bundles whose index is damaged: what they hold cannot be told */
};

struct cache_scan {
	struct arena *arena;
	struct cache_owners owners;
	VEC(struct cache_shelf) shelves; /* by name */
	VEC(struct cache_object) objects;
	struct strings unknown; /* paths of what is not of a cache; nobody touches it */
};

/*
 * `path` lives as long as the arena. False, with an error, when users other than the caller and the
 * directory's owner can write to it.
 */
bool cache_scan(struct arena *arena, struct diag *diag, const char *path, struct cache_scan *out);
void cache_scan_end(struct cache_scan *scan);

#endif
