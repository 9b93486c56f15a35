/* SPDX-License-Identifier: MIT */
/* rows: makes the rows of Nix's database agree with the seed. */
#ifndef MVM_IMAGING_GUEST_NIX_DB_ROWS_H
#define MVM_IMAGING_GUEST_NIX_DB_ROWS_H

#include "imaging/guest/nix_db/database.h"

/* Checks the database's integrity. *filled: whether it has any path. False if it is damaged. */
bool rows_check(const struct database *database, bool *filled);
/* *packed: whether the seed has this path. */
bool rows_is_packed(const struct database *database, const char *path, bool *packed);

/* Changes made by rows_reconcile. */
struct rows_change {
	sqlite3_int64 added; /* number of paths of the seed that the database did not have */
	struct strings gone; /* removed paths, sorted */
};

/*
 * Runs one transaction. Afterwards the database has all paths of the seed as the seed describes
 * them, and those of the other paths that are in `own`, except for ones that refer, directly or
 * indirectly, to a path in neither set.
 */
bool rows_reconcile(
	const struct database *database, const struct strings *own, struct rows_change *change);

#endif
