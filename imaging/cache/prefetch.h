/* SPDX-License-Identifier: MIT */
/*
 * prefetch: looks the objects of a closure up ahead of who links them, by several threads: they are
 * opened, read and compared with their hashes while others are linked. What is taken, and in which
 * order, does not depend on the threads.
 */
#ifndef MVM_IMAGING_CACHE_PREFETCH_H
#define MVM_IMAGING_CACHE_PREFETCH_H

#include "imaging/cache/cache.h"

struct prefetch;

/* `jobs` threads altogether, the caller's included. Cache and closure live longer. */
struct prefetch *prefetch_new(
	const struct object_cache *cache, const struct closure *closure, unsigned jobs);
/* Closes what was not taken. */
void prefetch_free(struct prefetch *prefetch);
/*
 * The object of the next path, in the closure's order; false when the caches have none that is
 * sound.
 */
bool prefetch_take(struct prefetch *prefetch, struct object *out);

#endif
