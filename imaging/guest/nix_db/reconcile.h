/* SPDX-License-Identifier: MIT */
/* reconcile: a database that outlives the image, brought in line with the image's own. */
#ifndef MVM_IMAGING_GUEST_NIX_DB_RECONCILE_H
#define MVM_IMAGING_GUEST_NIX_DB_RECONCILE_H

#include <stdbool.h>

/* What seed directories hold, beside db.sqlite and schema. */
#define SEED_ID "id"
/* What schema says, without a newline: Nix calls "10\n" corrupt. */
#define SEED_SCHEMA "10"

struct reconcile_request {
	/*
	 * a directory with db.sqlite, schema, and id: a text that is another one when the database
	 * is
	 */
	const char *seed;
	const char *store_dir; /* /nix/store: where the paths in the database are */
	/* the upper layer of the overlay that will be mounted there; NULL: there is none */
	const char *upper;
	const char *db_dir; /* of the database that is kept */
	/*
	 * db_dir is itself the upper layer of an overlay, with the seed below: what is not in it is
	 * the seed's
	 */
	bool layered;
	bool again; /* even if nothing seems to have changed */
	bool renew; /* put the database that is there aside, and begin with the seed */
};

/*
 * Afterwards the database knows each path of the seed, as the seed does, and these are visible; of
 * the others it knows what the guest made itself and what does not need anything that went with an
 * earlier image. O(1) when the seed is the same as the last time.
 *
 * May be killed at any instant, and the power be cut: the next call, with the same seed or another
 * one, comes to the same end as if this one had not been made, or had been finished.
 */
bool reconcile(const struct reconcile_request *request);

#endif
