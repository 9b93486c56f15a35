/* SPDX-License-Identifier: MIT */
/*
 * store_mount: what a description decides about the guest's store and its database: where they come
 * from, where they are mounted, and what the guest can write to.
 */
#ifndef MVM_COMPILER_STORAGE_STORE_MOUNT_H
#define MVM_COMPILER_STORAGE_STORE_MOUNT_H

#include <stdbool.h>

#include "backends/interface/vm.h"
#include "compiler/storage/nix_state.h"

/* A writable layer over the store. */
struct store_overlay {
	const char *lower;           /* where the store that nobody can write to is mounted */
	const char *upper, *work;    /* in writableStoreOverlay */
	const struct volume *volume; /* on which `upper` is; NULL: on none */
	const struct share *share;   /* likewise. Both NULL: in memory */
};

/*
 * Computed once, from the complete description, before it is checked: an element that was refused
 * is passed over.
 */
struct storage {
	/* all shares of the guest: the description's, then `database` */
	VEC(const struct share *) shares;
	/* of the copy of the host's database (nixDatabase: hostOverlay); NULL: there is no such */
	const struct share *database;
	const struct share *store; /* the share of the host's store; NULL: there is a store disk */
	/* where the store is mounted that nobody can write to: in its place, unless that is covered
	 */
	const char *store_target;
	bool writable; /* `overlay` covers the store */
	struct store_overlay overlay;
	struct nix_state nix;
};

void storage_derive(struct arena *arena, const struct vm *vm, struct storage *storage);

/*
 * The innermost mount that a path of the guest is on: a volume, a share, or neither, which is
 * memory.
 */
struct storage_place {
	const struct volume *volume;
	const struct share *share;
};
struct storage_place storage_find(
	const struct vm *vm, const struct storage *storage, const char *path);

/* The socket of a virtiofs share that names none. */
const char *share_default_socket(
	struct arena *arena, const struct vm *vm, const struct share *share);

/* The options of an overlay; `upper_share` is the share that its upper layer is on, or NULL. */
const char *overlay_options(struct arena *arena, const char *lower, const char *upper,
	const char *work, const struct share *upper_share);

/* Whether the guest's init needs what is mounted there: the store, its layers, Nix's state. */
bool storage_is_early(const struct vm *vm, const struct storage *storage, const char *target);

#endif
