/* SPDX-License-Identifier: MIT */
/*
 * host_store: finds the shares through which a guest reaches the store of the host's Nix. Whatever
 * the guest deletes or changes there is lost for the host, even below an overlay in the guest: a
 * garbage collection in the guest deletes all paths that have no root in the guest. Such shares are
 * therefore served read-only.
 */
#ifndef MVM_COMPILER_STORAGE_HOST_STORE_H
#define MVM_COMPILER_STORAGE_HOST_STORE_H

#include "backends/interface/vm.h"

/*
 * The store directory and the directory of its database and roots; also those of /nix if the VM has
 * another store.
 */
struct strings host_store_places(struct arena *arena, const struct vm *vm);

/* Whether a share is the host's store directory itself. */
bool share_is_store(const struct vm *vm, const struct share *share);
/* The first such share, or NULL. Elements of `vm` may have been refused. */
const struct share *host_store_share(const struct vm *vm);

/*
 * Sets host_store of every share that reaches the store, and makes such a share read-only unless
 * the description sets readOnly. The description may be refused in part.
 */
void host_store_protect(struct arena *arena, struct vm *vm);

/* Whether a path is a store path or lies below one. */
bool is_in_store(const struct vm *vm, const char *path);

#endif
