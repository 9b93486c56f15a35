/* SPDX-License-Identifier: MIT */
/* nix_state: the guest's Nix database and its surroundings, derived from the description. */
#ifndef MVM_COMPILER_STORAGE_NIX_STATE_H
#define MVM_COMPILER_STORAGE_NIX_STATE_H

#include <stdbool.h>

#include "backends/interface/vm.h"

/*
 * The implicit share of the copy of the host's database, and the copy's name in the VM's state
 * directory.
 */
#define NIX_STATE_TAG "mvm-nix-db"
#define NIX_STATE_COPY "nix-db"

struct nix_state {
	enum nix_database database;
	const char *dir; /* Nix's state directory: /nix/var/nix */
	/* mounted on `dir` to keep it with the writable store; NULL: nothing */
	const char *bound;
	bool kept; /* the database, or its upper layer, outlives the guest */
	/* For an overlay on the database: */
	const char *lower;               /* the copy of the host's database */
	const char *layer;               /* the directory of `upper` and `work` */
	const struct share *layer_share; /* the share that holds `layer`, or NULL */
};

struct storage;
/* The shares and the overlay must be known. */
struct nix_state nix_state_find(
	struct arena *arena, const struct vm *vm, const struct storage *storage);

/* Nix's state directory, which is beside the store: /nix/store and /nix/var/nix. */
const char *nix_state_dir(struct arena *arena, const struct vm *vm);

/* Where the guest mounts the copy of the host's database: /nix/.ro-db */
const char *nix_state_lower(struct arena *arena, const struct vm *vm);

/*
 * Where stage 1 puts the registration, which the kernel parameter regInfo= names. It lies outside
 * the store, so that no garbage collection removes it.
 */
const char *nix_registration_path(struct arena *arena, const struct nix_state *state);

#endif
