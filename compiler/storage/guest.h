/* SPDX-License-Identifier: MIT */
/* guest: the part of a backend's input that depends on the description alone. */
#ifndef MVM_COMPILER_STORAGE_GUEST_H
#define MVM_COMPILER_STORAGE_GUEST_H

#include "backends/interface/backend.h"
#include "compiler/storage/store_mount.h"

/* First descriptor passed to the hypervisor: macvtaps, then locked images. */
enum { FIRST_FREE_FD = 3 };

/*
 * Sets all fields that do not depend on the kernel. The backend may differ from the description's.
 * Refused elements may lack required fields.
 */
void guest_lower(struct arena *arena, const struct vm *vm, const struct storage *storage,
	const struct backend *backend, struct guest *guest);

#endif
