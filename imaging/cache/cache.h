/* SPDX-License-Identifier: MIT */
/*
 * cache: where objects are kept from one build to the next, and where else they are looked for.
 * Several builds may use it at the same time.
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
 * Caches that others fill, looked into after the own one, in this order, and never written to.
 * Objects there are linked straight from it: a machine that builds once, as those of a CI fleet do,
 * would copy each for nothing; rsync makes a copy for one that builds often.
 *
 * An object is known by the name of its store path, which Nix made from all that went into it, the
 * settings, and the NAR hash of what was packed, which must be the one known here. Its hashes are
 * compared each time, those of its data too: what was damaged on a disk or on the way is packed
 * anew, into the own cache. But these hashes are no signature: who can write to the cache can put
 * anything there with hashes that fit. So it is read only when nobody but root, the caller and the
 * owners can write to its directories, and files of others in it are passed over.
 */
struct cache_sharing {
	const char *const *directories;
	size_t n;
	struct cache_owners owners;
};

struct cache_request {
	/*
	 * Created when it is missing, see directory.h. NULL: nothing is kept, and `scratch` takes
	 * the objects while they are used.
	 */
	const char *directory;
	const char *scratch;
	const char *settings;
	const struct cache_sharing *sharing; /* NULL: none */
	const struct closure *closure;       /* nothing else is looked for */
};

/* `diag` takes warnings until the end; all of the request but itself lives as long as the cache. */
struct object_cache *cache_open(struct diag *diag, const struct cache_request *request);
/* Small objects are published now at the latest. */
void cache_close(struct object_cache *cache);

struct object_identity cache_identity(
	const struct object_cache *cache, const struct store_path *path);
/* False when there is none, or none that is sound. Threads may look at the same time. */
bool cache_find(const struct object_cache *cache, const struct object_identity *identity,
	struct object *out);

/*
 * The bytes of data of the objects that are there, in the places of their paths in the closure;
 * other places are left as they are. Makes nothing.
 */
void cache_peek(const struct cache_request *request, int64_t *stored);

/* A new object's file. */
struct cache_entry {
	int fd;
	char name[32];     /* in tmp; empty when it has no name */
	const char *where; /* for messages: the directory; the cache's */
};
bool cache_create(struct object_cache *cache, struct diag *diag, struct cache_entry *out);
/*
 * Gives the finished object its name, in place of an older one. A small one is taken into memory
 * instead, and its file is used again; it is published with others.
 */
bool cache_publish(struct object_cache *cache, struct diag *diag, struct cache_entry *entry,
	const char *name, struct object *object);
/* Removes the file, unless it was published; its descriptor is the caller's. */
void cache_discard(struct object_cache *cache, struct cache_entry *entry);

#endif
