/* SPDX-License-Identifier: MIT */
/* store_flags: translates microvm.nix's flags for mkfs.erofs and gensquashfs into storeDisk. */
#ifndef MVM_COMPILER_DESCRIBE_STORE_FLAGS_H
#define MVM_COMPILER_DESCRIBE_STORE_FLAGS_H

#include "backends/interface/vm.h"
#include "base/diag.h"

/*
 * Applies storeDiskErofsFlags or storeDiskSquashfsFlags, depending on the disk's type, to
 * storeDisk, after its defaults are set. A flag that has no equivalent or contradicts storeDisk is
 * an error.
 */
void store_flags_apply(struct arena *arena, struct diag *diag, struct vm *vm);

#endif
