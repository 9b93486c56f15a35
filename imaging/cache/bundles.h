/* SPDX-License-Identifier: MIT */
/* bundles: adds bundles to a cache and merges them. */
#ifndef MVM_IMAGING_CACHE_BUNDLES_H
#define MVM_IMAGING_CACHE_BUNDLES_H

#include "imaging/cache/shelf.h"

/*
 * Publishes the writer's objects as a new bundle of the directory `objects`, and empties the
 * writer. False with errno set; ENOENT: the cache was emptied meanwhile.
 */
bool bundles_publish(const struct cache_directory *directory, int objects, const char *settings,
	struct bundle_writer *writer);

struct bundles_merge {
	const struct cache_directory *directory;
	const struct shelf *shelf;
	/* Which bundles are rewritten, and which of their objects are kept (NULL: all). */
	bool (*is_chosen)(void *context, size_t bundle);
	bool (*keeps)(void *context, size_t bundle, size_t entry);
	void *context;
};
/*
 * Rewrites the chosen bundles as few, without damaged objects and duplicates, then removes the old
 * ones. The caller holds the cache's exclusive lock. If killed at any moment, every object is still
 * there at least once. False with errno set.
 */
bool bundles_merge(const struct bundles_merge *merge);
/*
 * Merges the bundles of `settings`, whose directory is `path`, if there are many. Bundles named in
 * `damaged` are always rewritten, without their damaged objects. A broken file in the place of a
 * bundle is moved away. The caller holds the exclusive lock.
 */
void bundles_tidy_locked(const struct cache_directory *directory, const char *path,
	const char *settings, const struct strings *damaged);
/* As bundles_tidy_locked, but takes the lock, and does nothing if it is held. */
void bundles_tidy(const struct cache_directory *directory, const char *path, const char *settings,
	const struct strings *damaged);

#endif
