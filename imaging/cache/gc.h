/* SPDX-License-Identifier: MIT */
/*
 * gc: removes objects that have not been used for long, and the least recently used ones of a cache
 * that is too large.
 *
 * The last use is known to the day: for a large object it is its file's mtime, for a small one a
 * day in its bundle (bundle.h). Builds set them at most once a day, so that a warm build writes
 * nothing. An object counts as used at the end of that day. Objects that a running build needs are
 * kept, whatever their age and the cache's size (directory.h describes how they are known). A
 * bundle that loses objects is rewritten without them, and many bundles become few.
 */
#ifndef MVM_IMAGING_CACHE_GC_H
#define MVM_IMAGING_CACHE_GC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"

struct cache_gc_request {
	const char *path;        /* lives as long as the arena */
	uint64_t max_bytes;      /* UINT64_MAX: unlimited */
	int64_t max_age_seconds; /* since the last use; -1: unlimited */
	bool dry_run;            /* removes nothing */
};

struct cache_amount {
	size_t objects;
	uint64_t bytes;
};

struct cache_gc_result {
	/* `needed`: the part of `left` that was kept only for running builds */
	struct cache_amount freed, left, needed;
	struct strings unknown; /* paths that do not belong to a cache; they are left alone */
};

bool cache_gc(struct arena *arena, struct diag *diag, const struct cache_gc_request *request,
	struct cache_gc_result *result);

#endif
