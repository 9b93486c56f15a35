/* SPDX-License-Identifier: MIT */
/*
 * gc: takes away what was not used for long, or what was used the longest ago when the cache is too
 * large.
 *
 * When an object was used is known to the day: of a large one it is its file's time, of a small one
 * a day in its bundle (bundle.h); builds set them once a day, so that a warm build writes nothing.
 * The doubt is the object's: it is taken for used at the end of that day. What a running build
 * needs stays, whatever its age and the cache's size (directory.h says how that is known). A bundle
 * of which some objects go is written anew without them, and many bundles become few.
 */
#ifndef MVM_IMAGING_CACHE_GC_H
#define MVM_IMAGING_CACHE_GC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"

struct cache_gc_request {
	const char *path;     /* lives as long as the arena */
	uint64_t most_bytes;  /* UINT64_MAX: any */
	int64_t most_seconds; /* since the last use; -1: any */
	bool dry;             /* takes nothing away */
};

struct cache_amount {
	size_t objects;
	uint64_t bytes;
};

struct cache_gc_result {
	/* `needed`: of those left, what would have gone but for running builds */
	struct cache_amount freed, left, needed;
	struct strings unknown; /* paths that are not of a cache, left alone */
};

bool cache_gc(struct arena *arena, struct diag *diag, const struct cache_gc_request *request,
	struct cache_gc_result *result);

#endif
