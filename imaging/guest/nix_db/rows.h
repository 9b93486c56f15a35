/* SPDX-License-Identifier: MIT */
/* rows: what Nix's database knows, brought in line with the seed. */
#ifndef MVM_IMAGING_GUEST_NIX_DB_ROWS_H
#define MVM_IMAGING_GUEST_NIX_DB_ROWS_H

#include "imaging/guest/nix_db/database.h"

/* Looks the database over: `*filled` says whether it knows any path. False when it is damaged. */
bool rows_check(const struct database *database, bool *filled);
/* Whether the seed has this path. */
bool rows_is_packed(const struct database *database, const char *path, bool *packed);

/* What rows_reconcile did. */
struct rows_change {
	sqlite3_int64 added; /* paths of the seed that were not known */
	struct strings gone; /* paths that are not known any more, sorted */
};

/*
 * One transaction. Known are afterwards: all paths of the seed, as the seed describes them, and of
 * the others those in `own`, unless they need, by references, a path that is neither.
 */
bool rows_reconcile(
	const struct database *database, const struct strings *own, struct rows_change *change);

#endif
