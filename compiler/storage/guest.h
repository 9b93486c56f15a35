/* SPDX-License-Identifier: MIT */
/* guest: what a backend is given, as far as the description alone decides it. */
#ifndef MVM_COMPILER_STORAGE_GUEST_H
#define MVM_COMPILER_STORAGE_GUEST_H

#include "backends/interface/backend.h"
#include "compiler/storage/store_mount.h"

/* The first descriptor that a hypervisor is given: macvtaps, then locked images. */
enum { FIRST_FREE_FD = 3 };

/*
 * Fills in all but what depends on the kernel, for this backend, which need not be the one of the
 * description. Elements that were refused may lack what they need.
 */
void guest_lower(struct arena *arena, const struct vm *vm, const struct storage *storage,
	const struct backend *backend, struct guest *guest);

#endif
