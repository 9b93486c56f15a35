/* SPDX-License-Identifier: MIT */
/* reconcile: makes a database that outlives the image agree with the image's own. */
#ifndef MVM_IMAGING_GUEST_NIX_DB_RECONCILE_H
#define MVM_IMAGING_GUEST_NIX_DB_RECONCILE_H

#include <stdbool.h>

/* A seed directory contains this file beside db.sqlite and schema. */
#define SEED_ID "id"
/* Contents of the file schema, without a newline: Nix calls "10\n" corrupt. */
#define SEED_SCHEMA "10"

struct reconcile_request {
	/* a directory with db.sqlite, schema and id; the text in id changes with the database */
	const char *seed;
	const char *store_dir; /* /nix/store: the directory of the paths in the database */
	/* the upper layer of the overlay that will be mounted there, or NULL */
	const char *upper;
	const char *db_dir; /* the directory of the kept database */
	/*
	 * db_dir itself is the upper layer of an overlay, with the seed below: files missing in it
	 * are the seed's
	 */
	bool layered;
	bool again; /* even if nothing seems to have changed */
	bool renew; /* set the existing database aside, and begin with the seed */
};

/*
 * Afterwards the database has every path of the seed as the seed describes it, and these paths are
 * visible. Of the others it has those that the guest made and that do not depend on anything
 * removed with an earlier image. O(1) if the seed has not changed since the last call.
 *
 * May be killed at any time, also by a power failure: the next call, with this seed or another, has
 * the same result as if this one had never run, or had completed.
 */
bool reconcile(const struct reconcile_request *request);

#endif
