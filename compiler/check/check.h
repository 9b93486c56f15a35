/* SPDX-License-Identifier: MIT */
/* check: what is wrong with a description as a whole. All checks run, whatever the others find. */
#ifndef MVM_COMPILER_CHECK_CHECK_H
#define MVM_COMPILER_CHECK_CHECK_H

#include <stdbool.h>

#include "backends/interface/backend.h"
#include "backends/interface/vm.h"
#include "compiler/storage/store_mount.h"

struct json_object;

/*
 * Which hypervisors can run it: {"qemu": [], "firecracker": ["shares[0]: …"]}, the reasons why not.
 * Belongs to the caller.
 */
struct json_object *vm_matrix(
	struct arena *arena, const struct vm *vm, const struct storage *storage);

/*
 * Checks everything that can be told from the description alone; it needs no file of this machine.
 */
bool vm_check(
	struct arena *arena, struct diag *diag, const struct vm *vm, const struct storage *storage);

#endif
