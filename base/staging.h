/* SPDX-License-Identifier: MIT */
/* staging: a directory is made beside its place and published in one step, when it is complete. */
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
	struct hold hold;      /* tells other builds that this directory is not litter */
	bool unsynced;         /* publishing does not wait for the disk; for the caller to set */
	/* not what the user asked for: who is told to stop says nothing of it; likewise */
	bool aside;
	/*
	 * it gets a list of its files and a seal (own.h), and replaces only a directory whose files
	 * are ours; likewise
	 */
	bool listed;
};

/* Removes what killed builds of the same target left behind. */
void staging_clean(struct arena *arena, const char *target);
/*
 * Whether a listed directory may take the place of what is at `target`: of nothing, of an empty
 * directory, or of a `kind` ("runner"), which is known by the file `mark` in it and must have no
 * file that is not ours. An error otherwise.
 */
bool staging_may_replace(struct arena *arena, struct diag *diag, const char *target,
	const char *kind, const char *mark);
/* Starts, after staging_clean. */
bool staging_begin(
	struct arena *arena, struct diag *diag, const char *target, struct staging *staging);
/*
 * Syncs and renames; an existing `target` is exchanged and then removed. On an error it stays as it
 * was.
 */
bool staging_publish(struct diag *diag, struct staging *staging);
/* The same, but something that is there by now stays, and that is an error. */
bool staging_publish_new(struct diag *diag, struct staging *staging);
/* Removes the directory, unless it was published. */
void staging_abandon(struct staging *staging);

#endif
