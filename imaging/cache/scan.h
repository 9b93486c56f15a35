/* SPDX-License-Identifier: MIT */
/* scan: lists everything in a cache, to count it, clean it up or verify it. */
#ifndef MVM_IMAGING_CACHE_SCAN_H
#define MVM_IMAGING_CACHE_SCAN_H

#include "base/arena.h"
#include "imaging/cache/shelf.h"

enum { CACHE_USE_SECONDS = 24 * 60 * 60 };

struct cache_object {
	const char *name; /* of its store path; NULL if its bundle's names are damaged */
	uint64_t name_hash, bytes;
	/* seconds since 1970; the last use is up to CACHE_USE_SECONDS later */
	int64_t used;
	size_t shelf;         /* index in the scan's shelves */
	size_t bundle, entry; /* indices in the shelf; SIZE_MAX if it has a file of its own */
};

struct cache_shelf {
	const char *settings, *path;
	struct shelf shelf;
	/* bundles whose index is damaged, so that their objects are unknown */
	struct strings broken;
};

struct cache_scan {
	struct arena *arena;
	struct cache_owners owners;
	VEC(struct cache_shelf) shelves; /* sorted by name */
	VEC(struct cache_object) objects;
	/* paths of files that do not belong to a cache; they are left alone */
	struct strings unknown;
};

/* Refuses a directory that has files, but none of a cache. Call it before anything is written. */
bool cache_check_kind(struct arena *arena, struct diag *diag, const char *path);
/*
 * `path` must outlive the arena. False with an error if users other than the caller and the
 * directory's owner can write to it.
 */
bool cache_scan(struct arena *arena, struct diag *diag, const char *path, struct cache_scan *out);
void cache_scan_end(struct cache_scan *scan);

#endif
