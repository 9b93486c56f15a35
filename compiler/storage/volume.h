/* SPDX-License-Identifier: MIT */
/* volume: identifies and creates volumes. */
#ifndef MVM_COMPILER_STORAGE_VOLUME_H
#define MVM_COMPILER_STORAGE_VOLUME_H

#include "backends/interface/vm.h"
#include "compiler/storage/file_systems.h"

/*
 * Whether mkfs creates the volume, at the first start: if we cannot create it ourselves, or if
 * further arguments are given.
 */
bool volume_by_mkfs(const struct volume *volume, const struct file_system *system);
/* How the VM uses the volume, in mvm-host's terms. */
const char *volume_use(const struct volume *volume);
/* The UUID of the file system to be created, as blkid prints it. */
const char *volume_uuid(struct arena *arena, const struct vm *vm, const struct volume *volume);
/* The seed from which all identifiers of the volume are derived. */
const char *volume_seed(struct arena *arena, const struct vm *vm, const struct volume *volume);
/* The command without the image: mkfs.xfs -q -m uuid=… -L data. */
void volume_mkfs(struct arena *arena, const struct vm *vm, const struct volume *volume,
	struct strings *command);

#endif
