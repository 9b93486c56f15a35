/* SPDX-License-Identifier: MIT */
/*
 * host_store: which shares reach the store of the host's Nix. What a guest deletes or changes there
 * is lost to the host, whatever is mounted over it in the guest: a collection of garbage in the
 * guest takes away all that the guest does not root. So such shares are served read-only.
 */
#ifndef MVM_COMPILER_STORAGE_HOST_STORE_H
#define MVM_COMPILER_STORAGE_HOST_STORE_H

#include "backends/interface/vm.h"

/*
 * The store directory and the directory of its database and roots; those of /nix too, when the VM
 * has another store.
 */
struct strings host_store_places(struct arena *arena, const struct vm *vm);

/* Whether a share is the store directory of the host itself. */
bool share_is_store(const struct vm *vm, const struct share *share);
/* The first such share; NULL: there is none. Elements may have been refused. */
const struct share *host_store_share(const struct vm *vm);

/*
 * Of every share of a description that may be in part refused: whether it reaches the store; it is
 * then read-only, unless it was said to be not.
 */
void host_store_protect(struct arena *arena, struct vm *vm);

#endif
