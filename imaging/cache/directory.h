/* SPDX-License-Identifier: MIT */
/*
 * directory: the directory of a cache, and how concurrent users of it are kept from disturbing each
 * other.
 *
 *   SETTINGS/          the objects made with these settings, by the names of their store paths
 *   SETTINGS/.bundles  small objects, many in a file
 *   tmp/               files being written, and one file for each running build that lists the
 *                      objects it needs; their writers hold locks on them, the rest is litter
 *   lock               locked shared to record the objects that a build needs, exclusively to
 *                      remove objects
 *
 * Objects are added without a lock: they appear, whole, by a rename. They are removed under the
 * exclusive lock, and only if no running build needs them. A build records what it needs under the
 * shared lock, before it looks for the first object, and opens all bundles under that lock. So
 * either the remover sees the record, or the build finds the objects gone and packs them again. A
 * build waits only while objects are being removed, and a removal does not wait for the end of
 * builds. The kernel releases locks with their process, so a killed process leaves nothing that
 * others wait for. Where files cannot be locked, or the cache is read-only, objects may vanish
 * while a build runs. It keeps those that it has opened, and packs the others again.
 */
#ifndef MVM_IMAGING_CACHE_DIRECTORY_H
#define MVM_IMAGING_CACHE_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/diag.h"

#define CACHE_BUNDLES ".bundles"
#define CACHE_TEMPORARY "tmp"
#define CACHE_LOCK "lock"

/* Users who are trusted in addition to root and the caller. */
struct cache_owners {
	const uid_t *v;
	size_t n;
	bool everyone;
};

struct cache_directory {
	const char *path;
	int top, temporary;
	int lock;    /* -1 if it cannot be locked */
	bool remote; /* on a network file system, so other machines may use it too */
	/*
	 * permission bits of the directory for group and others, which everything below it gets as
	 * far as they apply
	 */
	mode_t share;
};

/*
 * Creates what is missing and removes litter. Fails if another user could have written to the
 * directory.
 */
bool cache_directory_make(struct diag *diag, const char *path, struct cache_directory *out);
/* As cache_directory_make, but the directory must exist. */
bool cache_directory_open(struct diag *diag, const char *path, struct cache_directory *out);
void cache_directory_close(struct cache_directory *directory);
/* Opens the directory `name` below `parent`, creating it if missing; -1 with an error. */
int cache_directory_below(struct diag *diag, const struct cache_directory *directory, int parent,
	const char *name, const char *path);

/*
 * Whether a Nix build runs, and the directory is in its store ($NIX_STORE): an input, which nobody
 * can change, or the output.
 */
bool cache_is_in_nix_store(const char *path);

/*
 * Whether only trusted users can write to a directory of a cache that others fill; records an error
 * otherwise.
 */
bool cache_is_trusted(
	struct diag *diag, int directory, const char *path, const struct cache_owners *owners);
/* Whether only trusted users can write to a file of such a cache. */
bool cache_file_is_trusted(const struct stat *st, const struct cache_owners *owners);

/*
 * Removes anything in the place of a file or directory of the cache, if it is empty. If it has
 * contents it may be valuable: it is renamed to NAME.aside-0 or the like, and cleaning up lists it.
 * False with errno set.
 */
bool cache_make_way(int directory, const char *name);
/* Removes a file of the cache; anything else in its place is treated as by cache_make_way. */
bool cache_remove(int directory, const char *name);
/*
 * Moves a file from tmp into the directory `into`, replacing anything there. False with
 * errno set.
 */
bool cache_rename(
	const struct cache_directory *directory, const char *temporary, int into, const char *name);

/* Creates and locks a file in tmp. Returns its descriptor; -1 with errno set. */
int cache_temporary_create(const struct cache_directory *directory, const char *prefix,
	unsigned *serial, char name[static 32]);
/* Waits for the lock; false if files cannot be locked here. */
bool cache_lock(const struct cache_directory *directory, int operation);
void cache_unlock(const struct cache_directory *directory);

/*
 * Records the objects that a build needs, until the descriptor is closed and the name is removed
 * from tmp. The caller holds the shared lock. Returns -1 on failure.
 */
int cache_uses_write(const struct cache_directory *directory, const uint64_t *name_hashes, size_t n,
	char name[static 32]);

/* Name hashes that running builds need, sorted. */
struct cache_uses {
	uint64_t *v; /* owned */
	size_t n;
};
void cache_uses_read(const struct cache_directory *directory, struct cache_uses *out);
bool cache_uses_has(const struct cache_uses *uses, uint64_t name_hash);

#endif
