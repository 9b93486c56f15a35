/* SPDX-License-Identifier: MIT */
/*
 * verify: compares everything in a cache with its hashes, and removes damaged objects, which the
 * next build packs again.
 */
#ifndef MVM_IMAGING_CACHE_VERIFY_H
#define MVM_IMAGING_CACHE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"

struct cache_verify_request {
	const char *path; /* lives as long as the arena */
	unsigned jobs;    /* threads, at least 1 */
	bool dry_run;     /* removes nothing: the cache may be read-only, or another user's */
};

struct cache_verify_result {
	size_t objects;
	uint64_t bytes;
	struct strings
		/* their paths; for an object in a bundle: the bundle's path, ": " and the name */
		damaged;
	struct strings unknown; /* paths that do not belong to a cache; they are left alone */
};

/* False if it could not be done; damage is a result, not a failure. */
bool cache_verify(struct arena *arena, struct diag *diag,
	const struct cache_verify_request *request, struct cache_verify_result *result);

#endif
