/* SPDX-License-Identifier: MIT */
/* object_cache: the directory where objects are kept from one build to the next. Several builds may use it at the same time. */
#ifndef MVM_OBJECT_CACHE_H
#define MVM_OBJECT_CACHE_H

#include <stdbool.h>

#include "compiler/base/diag.h"
#include "imaging/object.h"
#include "imaging/store_path.h"

struct object_cache;

/*
 * `directory`/`settings` holds the finished objects, by the names of their store paths; `directory`/tmp unfinished ones, which their writers lock.
 * Makes what is missing (0700), removes what killed builds left, and refuses a directory that somebody else could have written to.
 * With `directory` NULL nothing is kept and `scratch` takes the objects while they are used.
 */
struct object_cache *cache_open(struct diag *diag, const char *directory, const char *scratch, const char *settings);
void cache_close(struct object_cache *cache);

struct object_identity cache_identity(const struct object_cache *cache, const struct store_path *path);
/* False when there is none, or none that is sound. */
bool cache_find(const struct object_cache *cache, const struct object_identity *identity, struct object *out);

/* The bytes of data of the objects that are there, in the places of their paths in `closure`; other places are left as they are. Makes nothing. */
void cache_peek(const char *directory, const char *settings, const struct closure *closure, int64_t *stored);

/* A new object's file. */
struct cache_entry {
	int fd;
	char name[32];      /* in tmp; empty when it has no name */
	const char *where;  /* for messages: the directory; the cache's */
};
bool cache_create(struct object_cache *cache, struct diag *diag, struct cache_entry *out);
/* Gives the finished object its name, in place of an older one. */
bool cache_publish(struct object_cache *cache, struct diag *diag, struct cache_entry *entry, const char *name);
/* Removes the file, unless it was published; its descriptor is the caller's. */
void cache_discard(struct object_cache *cache, struct cache_entry *entry);

#endif
