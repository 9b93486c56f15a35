/* SPDX-License-Identifier: MIT */
/* nix_state: the guest's Nix database and what belongs to it, as the description decides it. */
#ifndef MVM_COMPILER_STORAGE_NIX_STATE_H
#define MVM_COMPILER_STORAGE_NIX_STATE_H

#include <stdbool.h>

#include "backends/interface/vm.h"

/*
 * The implicit share of a copy of the host's database, and the copy, in the VM's state directory.
 */
#define NIX_STATE_TAG "mvm-nix-db"
#define NIX_STATE_COPY "nix-db"

struct nix_state {
	enum nix_database database;
	const char *dir; /* Nix's state directory: /nix/var/nix */
	/* what is mounted on `dir` so that it is kept with the writable store; NULL: nothing */
	const char *bound;
	bool kept; /* the database outlives the guest, as its upper layer does or not */
	/* Of an overlay on the database: */
	const char *lower;               /* where the copy of the host's is */
	const char *layer;               /* holds `upper` and `work` */
	const struct share *layer_share; /* on which `layer` is; NULL */
};

struct storage;
/* Of a guest whose shares and overlay are known. */
struct nix_state nix_state_find(
	struct arena *arena, const struct vm *vm, const struct storage *storage);

/* Nix's state directory, beside the store, as in Nix: /nix/store and /nix/var/nix. */
const char *nix_state_dir(struct arena *arena, const struct vm *vm);

/* Where the guest has the copy of the host's database: /nix/.ro-db */
const char *nix_state_lower(struct arena *arena, const struct vm *vm);

/*
 * Where stage 1 puts the registration; the kernel parameter regInfo= names it. It lies outside the
 * store, where no garbage collection can remove it.
 */
const char *nix_registration_path(struct arena *arena, const struct nix_state *state);

#endif
