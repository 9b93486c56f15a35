/* SPDX-License-Identifier: MIT */
/*
 * snapshot: a copy of a Nix database that may be in use, for a guest that gets it as a seed
 * (reconcile.h).
 */
#ifndef MVM_IMAGING_GUEST_NIX_DB_SNAPSHOT_H
#define MVM_IMAGING_GUEST_NIX_DB_SNAPSHOT_H

#include <stdbool.h>

/*
 * Makes `to` hold db.sqlite, schema and id: one state of the database in the directory `from`, its
 * log included, in rollback mode. Nothing of `from` is changed, and who may only read it can do it.
 * Each file appears as a whole; when the database is the one that `to` has already, none changes.
 */
bool snapshot(const char *from, const char *to);

#endif
