/* SPDX-License-Identifier: MIT */
/*
 * cache: finds objects in caches and stores new ones for the next builds. Several builds may use it
 * at the same time.
 */
#ifndef MVM_IMAGING_CACHE_CACHE_H
#define MVM_IMAGING_CACHE_CACHE_H

#include <stdbool.h>

#include "base/diag.h"
#include "imaging/cache/directory.h"
#include "imaging/cache/object.h"
#include "imaging/store/store_path.h"

struct object_cache;

/*
 * Caches that others fill. They are searched after our own, in this order, and never written to.
 * Objects there are linked without copying them into our own cache: a machine that builds once,
 * such as a CI worker, would copy them for nothing, and one that builds often can rsync the cache.
 *
 * An object is identified by the name of its store path, which Nix derives from all inputs, by the
 * settings, and by the NAR hash of what was packed, which must match if it is known here. All its
 * hashes are checked at each use, including that of its data, so that damaged objects are packed
 * again, into our own cache. These hashes are not signatures: a user who can write to the cache can
 * store any contents with matching hashes. So a cache is read only if nobody but root, the caller
 * and the `owners` can write to its directories, and files of other users in it are skipped.
 */
struct cache_sharing {
	const char *const *directories;
	size_t n;
	struct cache_owners owners;
};

struct cache_request {
	/*
	 * Created if missing, see directory.h. With NULL nothing is kept, and objects are in
	 * `scratch` while they are used.
	 */
	const char *directory;
	const char *scratch;
	const char *settings;
	const struct cache_sharing *sharing; /* NULL: none */
	const struct closure *closure;       /* only these paths are looked up */
};

/*
 * `diag` receives warnings until cache_close. Everything that the request points to must outlive
 * the cache; the request itself need not.
 */
struct object_cache *cache_open(struct diag *diag, const struct cache_request *request);
/* Publishes the small objects that remain. */
void cache_close(struct object_cache *cache);

struct object_identity cache_identity(
	const struct object_cache *cache, const struct store_path *path);
/* False if no cache has an intact object. Thread-safe. */
bool cache_find(const struct object_cache *cache, const struct object_identity *identity,
	struct object *out);

/*
 * Sets stored[i] to the data bytes of the object of path i of the closure, if a cache has it; other
 * elements are unchanged. Creates nothing.
 */
void cache_peek(const struct cache_request *request, int64_t *stored);

/* The file of a new object. */
struct cache_entry {
	int fd;
	char name[32];     /* in tmp; empty if it has no name */
	const char *where; /* the directory, for messages; belongs to the cache */
};
bool cache_create(struct object_cache *cache, struct diag *diag, struct cache_entry *out);
/*
 * Gives the finished object its name, replacing an older one. A small one is moved to memory
 * instead, to be published in a bundle, and its file is reused.
 */
bool cache_publish(struct object_cache *cache, struct diag *diag, struct cache_entry *entry,
	const char *name, struct object *object);
/* Removes the file, unless it was published; the caller owns its descriptor. */
void cache_discard(struct object_cache *cache, struct cache_entry *entry);

#endif
