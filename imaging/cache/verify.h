/* SPDX-License-Identifier: MIT */
/*
 * verify: compares all that a cache has with its hashes, and takes away what is damaged: the next
 * build packs it anew.
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
	bool dry;         /* takes nothing away: the cache may be another user's, and read-only */
};

struct cache_verify_result {
	size_t objects;
	uint64_t bytes;
	struct strings
		damaged; /* their paths; of what is in a bundle: the bundle's, ": " and the name */
	struct strings unknown; /* paths that are not of a cache, left alone */
};

/* False when it could not be done; damage is a result. */
bool cache_verify(struct arena *arena, struct diag *diag,
	const struct cache_verify_request *request, struct cache_verify_result *result);

#endif
