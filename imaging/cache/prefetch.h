/* SPDX-License-Identifier: MIT */
/*
 * prefetch: looks up the objects of a closure ahead of the linker, in several threads: they are
 * opened, read and hashed while others are linked. The results and their order do not depend on the
 * threads.
 */
#ifndef MVM_IMAGING_CACHE_PREFETCH_H
#define MVM_IMAGING_CACHE_PREFETCH_H

#include "imaging/cache/cache.h"

struct prefetch;

/* `jobs` threads altogether, including the caller's. The cache and the closure must outlive it. */
struct prefetch *prefetch_new(
	const struct object_cache *cache, const struct closure *closure, unsigned jobs);
/* Closes the objects that were not taken. */
void prefetch_free(struct prefetch *prefetch);
/*
 * Returns the object of the next path, in the closure's order; false if no cache has an intact one.
 */
bool prefetch_take(struct prefetch *prefetch, struct object *out);

#endif
