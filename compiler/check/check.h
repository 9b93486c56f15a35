/* SPDX-License-Identifier: MIT */
/* check: checks a description as a whole. All checks run, whatever the others find. */
#ifndef MVM_COMPILER_CHECK_CHECK_H
#define MVM_COMPILER_CHECK_CHECK_H

#include <stdbool.h>

#include "backends/interface/backend.h"
#include "backends/interface/vm.h"
#include "compiler/storage/store_mount.h"

struct json_object;

/*
 * Returns why each hypervisor cannot run the VM: {"qemu": [], "firecracker": ["shares[0]: …"]}; an
 * empty list means that it can. The caller releases the object.
 */
struct json_object *vm_matrix(
	struct arena *arena, const struct vm *vm, const struct storage *storage);

/* Checks everything that needs only the description, without reading files of this machine. */
bool vm_check(
	struct arena *arena, struct diag *diag, const struct vm *vm, const struct storage *storage);

#endif
