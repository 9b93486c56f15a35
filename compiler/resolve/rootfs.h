/* SPDX-License-Identifier: MIT */
/* rootfs: the init, kernel and modules in a directory that is a guest's root file system. */
#ifndef MVM_COMPILER_RESOLVE_ROOTFS_H
#define MVM_COMPILER_RESOLVE_ROOTFS_H

#include <stdbool.h>

#include "compiler/resolve/resolve.h"

/* Sets rootfs, init and root; an error (STATUS_INPUT) says what is missing. */
bool rootfs_resolve(
	struct arena *arena, struct diag *diag, const struct vm *vm, struct system *system);
/* Warns if its root directory has an owner or mode that the guest cannot use. */
void rootfs_warn(struct diag *diag, const struct vm *vm, const struct root_owner *root);
/* Returns the path of its only kernel on this machine; NULL with an error. */
const char *rootfs_kernel(struct arena *arena, struct diag *diag, const struct vm *vm);
/* Returns its directory of modules if that has modules for this kernel version; else NULL. */
const char *rootfs_modules(struct arena *arena, const char *rootfs, const char *version);

#endif
