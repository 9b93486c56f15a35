/* SPDX-License-Identifier: MIT */
/* bundles: new bundles in a cache, and many made into few. */
#ifndef MVM_IMAGING_CACHE_BUNDLES_H
#define MVM_IMAGING_CACHE_BUNDLES_H

#include "imaging/cache/shelf.h"

/*
 * Writes what the writer has as a new bundle of the directory `objects`, and empties it. False with
 * errno set; ENOENT: somebody emptied the cache meanwhile.
 */
bool bundles_publish(const struct cache_directory *directory, int objects, const char *settings,
	struct bundle_writer *writer);

struct bundles_merge {
	const struct cache_directory *directory;
	const struct shelf *shelf;
	/*
	 * Which of its bundles are to be written anew, and which of their objects stay; NULL: all.
	 */
	bool (*is_chosen)(void *context, size_t bundle);
	bool (*stays)(void *context, size_t bundle, size_t entry);
	void *context;
};
/*
 * Writes chosen bundles anew, as few, without what is not sound and what is there twice, then
 * removes the old. The caller has the cache's exclusive lock. Killed at any moment, every object is
 * there at least once. False with errno set.
 */
bool bundles_merge(const struct bundles_merge *merge);
/*
 * Merges the bundles of `settings`, whose directory is `path`, when there are many, and anyway
 * those with the names in `damaged`, which lose what is not sound. What stands in the place of a
 * bundle and is none makes way. The caller has the exclusive lock.
 */
void bundles_tidy_locked(const struct cache_directory *directory, const char *path,
	const char *settings, const struct strings *damaged);
/* The same with a lock of its own, unless somebody else has it. */
void bundles_tidy(const struct cache_directory *directory, const char *path, const char *settings,
	const struct strings *damaged);

#endif
