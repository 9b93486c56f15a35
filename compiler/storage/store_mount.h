/* SPDX-License-Identifier: MIT */
/*
 * store_mount: the guest's store and its database, derived from the description: their sources,
 * their mount points, and the places where the guest can write.
 */
#ifndef MVM_COMPILER_STORAGE_STORE_MOUNT_H
#define MVM_COMPILER_STORAGE_STORE_MOUNT_H

#include <stdbool.h>

#include "backends/interface/vm.h"
#include "compiler/storage/nix_state.h"

/* A writable layer over the store. */
struct store_overlay {
	const char *lower;           /* where the read-only store is mounted */
	const char *upper, *work;    /* in writableStoreOverlay */
	const struct volume *volume; /* the volume that holds `upper`, or NULL */
	const struct share *share; /* the share that holds `upper`, or NULL; if both are NULL, it is
				      in memory */
};

/*
 * Computed once (storage_derive), from the complete description, before it is checked; refused
 * elements are skipped.
 */
struct storage {
	/* all shares of the guest: the description's, then `database` */
	VEC(const struct share *) shares;
	/* the share of the copy of the host's database (nixDatabase: hostOverlay); NULL: none */
	const struct share *database;
	const struct share *store; /* the share of the host's store; NULL: a store disk is used */
	/* mount point of the read-only store: the store directory, unless an overlay covers it */
	const char *store_target;
	bool writable; /* `overlay` covers the store */
	struct store_overlay overlay;
	struct nix_state nix;
};

/*
 * The innermost mount that holds a path of the guest: a volume or a share; if both are NULL, the
 * path is in memory.
 */
struct storage_place {
	const struct volume *volume;
	const struct share *share;
};
struct storage_place storage_find(
	const struct vm *vm, const struct storage *storage, const char *path);

/*
 * The mount options of an overlay; `upper_share` is the share that holds its upper layer, or NULL.
 */
const char *overlay_options(struct arena *arena, const char *lower, const char *upper,
	const char *work, const struct share *upper_share);

/* Whether the guest's init needs this mount: the store, its layers, or Nix's state. */
bool storage_is_early(const struct vm *vm, const struct storage *storage, const char *target);

#endif
