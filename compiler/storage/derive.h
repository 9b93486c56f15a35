/* SPDX-License-Identifier: MIT */
/* derive: what follows from the description for the guest's store, its shares and Nix's state. */
#ifndef MVM_COMPILER_STORAGE_DERIVE_H
#define MVM_COMPILER_STORAGE_DERIVE_H

#include "compiler/storage/store_mount.h"

/* Fills in all of `storage`, which points into `vm` and the arena. */
void storage_derive(struct arena *arena, const struct vm *vm, struct storage *storage);

/* The default socket of a virtiofs share. */
const char *share_default_socket(
	struct arena *arena, const struct vm *vm, const struct share *share);

#endif
