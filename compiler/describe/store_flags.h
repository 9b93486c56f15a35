/* SPDX-License-Identifier: MIT */
/* store_flags: what microvm.nix's flags for mkfs.erofs and gensquashfs mean for our store disk. */
#ifndef MVM_COMPILER_DESCRIBE_STORE_FLAGS_H
#define MVM_COMPILER_DESCRIBE_STORE_FLAGS_H

#include "backends/interface/vm.h"
#include "base/diag.h"

/*
 * Translates storeDiskErofsFlags or storeDiskSquashfsFlags, that of the disk's type, into storeDisk
 * (after its defaults). A flag that means nothing here, and one that contradicts storeDisk, is an
 * error.
 */
void store_flags_apply(struct arena *arena, struct diag *diag, struct vm *vm);

#endif
