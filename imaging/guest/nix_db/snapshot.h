/* SPDX-License-Identifier: MIT */
/* snapshot: copies a Nix database that may be in use, as a seed for a guest (reconcile.h). */
#ifndef MVM_IMAGING_GUEST_NIX_DB_SNAPSHOT_H
#define MVM_IMAGING_GUEST_NIX_DB_SNAPSHOT_H

#include <stdbool.h>

/*
 * Writes db.sqlite, schema and id to `to`: a consistent state of the database in the directory
 * `from`, its log included, in rollback mode. Nothing in `from` is changed; read permission is
 * sufficient. Each file appears complete. If `to` already has the same database, no file changes.
 */
bool snapshot(const char *from, const char *to);

#endif
