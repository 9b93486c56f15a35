/* SPDX-License-Identifier: MIT */
/*
 * directory: the directory of a cache, and how those who use it at the same time stay out of each
 * other's way.
 *
 *   SETTINGS/          the objects made with these settings, by the names of their store paths
 *   SETTINGS/.bundles  small ones, many in a file
 *   tmp/               what is being written, and what each running build needs; the writers hold
 *   locks on their files, the rest is litter
 *   lock               who says what it needs locks it shared, who takes objects away exclusively
 *
 * Objects are added without a lock: they appear, whole, by a rename. They are taken away under the
 * exclusive lock, and only when no running build has said that it needs them: what a build needs it
 * says before it looks for the first object, and opens all bundles, under the shared lock. So it
 * either says so before, and is heard, or finds what is left, and makes the rest itself. Builds
 * wait for nobody but for the moments of a removal, and a removal does not wait for the end of
 * builds. Locks go with their processes: whoever is killed leaves nothing that others have to wait
 * for. Where files cannot be locked, or the cache is read-only, objects may go while a build runs.
 * It keeps those that it has opened, and makes others again.
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

/* Users whose files are believed, beside root and the caller. */
struct cache_owners {
	const uid_t *v;
	size_t n;
};

struct cache_directory {
	const char *path;
	int top, temporary;
	int lock;    /* -1: cannot be locked */
	bool remote; /* other machines may use it, too */
	/*
	 * permission bits that group and others have of the directory: all below gets those that
	 * fit
	 */
	mode_t share;
};

/*
 * Makes what is missing and removes litter. Refuses a directory that somebody else could have
 * written to.
 */
bool cache_directory_make(struct diag *diag, const char *path, struct cache_directory *out);
/* For those who clean up: it must be there. */
bool cache_directory_open(struct diag *diag, const char *path, struct cache_directory *out);
void cache_directory_close(struct cache_directory *directory);
/* A directory below; made when it is missing. -1, with an error. */
int cache_directory_below(struct diag *diag, const struct cache_directory *directory, int parent,
	const char *name, const char *path);

/*
 * A directory of a cache that others fill. False, with an error, when users who are not believed
 * can write to it.
 */
bool cache_is_believed(
	struct diag *diag, int directory, const char *path, const struct cache_owners *owners);
/* Whether a file of such a cache is. */
bool cache_file_is_believed(const struct stat *st, const struct cache_owners *owners);

/*
 * What stands where the cache wants a file or a directory of its own goes when there is nothing in
 * it; a directory or file with something in it is somebody's, and is only called NAME.aside-0 or
 * the like from now on, where clean-ups name it. False with errno set.
 */
bool cache_make_way(int directory, const char *name);
/* Removes a file of the cache, and whatever else stands in its place as cache_make_way does. */
bool cache_remove(int directory, const char *name);
/*
 * Gives a file in tmp its place in the directory `into`, whatever stands there. False with errno
 * set.
 */
bool cache_rename(
	const struct cache_directory *directory, const char *temporary, int into, const char *name);

/* A new file in tmp, locked. Its descriptor; -1 with errno set. */
int cache_temporary_create(const struct cache_directory *directory, const char *prefix,
	unsigned *serial, char name[static 32]);
/* Waits; false when files cannot be locked here. */
bool cache_lock(const struct cache_directory *directory, int operation);
void cache_unlock(const struct cache_directory *directory);

/*
 * Says what a build needs, until the descriptor is closed and the name is removed from tmp. The
 * caller has the shared lock. -1: could not.
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
