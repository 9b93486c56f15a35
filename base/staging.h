/* SPDX-License-Identifier: MIT */
/*
 * staging: makes a directory beside its final place and publishes it in one step once it is
 * complete.
 */
#ifndef MVM_BASE_STAGING_H
#define MVM_BASE_STAGING_H

#include <stdbool.h>

#include "base/diag.h"
#include "base/work_lock.h"

struct arena;

/* A directory that becomes `target` in one rename once it is complete. */
struct staging {
	struct arena *arena;
	const char *target;    /* absolute, as the user named it */
	const char *directory; /* the sibling being filled, absolute */
	struct work_lock lock; /* shows other builds that this directory is not litter */
	bool unsynced;         /* set by the caller: publishing does not wait for the disk */
	/* set by the caller: a side product, which the report of an interruption does not name */
	bool aside;
	/*
	 * set by the caller: it gets a list of its files and a seal (own.h), and replaces only a
	 * directory whose files are all ours
	 */
	bool listed;
};

/* Removes the leftovers of killed builds of the same target. */
void staging_clean(struct arena *arena, const char *target);
/*
 * Whether a listed directory may replace `target`: it must be absent, an empty directory, or a
 * `kind` ("runner"), which is recognized by the file `mark` in it and must contain only our files.
 * Otherwise records an error and returns false.
 */
bool staging_may_replace(struct arena *arena, struct diag *diag, const char *target,
	const char *kind, const char *mark);
/* Calls staging_clean, then makes the directory. */
bool staging_begin(
	struct arena *arena, struct diag *diag, const char *target, struct staging *staging);
/*
 * Syncs and renames; an existing `target` is exchanged and then removed. After an error it is
 * unchanged.
 */
bool staging_publish(struct diag *diag, struct staging *staging);
/* As staging_publish, but an existing `target` is an error. */
bool staging_publish_new(struct diag *diag, struct staging *staging);
/* Removes the directory, unless it was published. */
void staging_abandon(struct staging *staging);

#endif
