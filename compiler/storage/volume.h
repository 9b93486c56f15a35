/* SPDX-License-Identifier: MIT */
/* volume: how volumes are identified and created. */
#ifndef MVM_COMPILER_STORAGE_VOLUME_H
#define MVM_COMPILER_STORAGE_VOLUME_H

#include "backends/interface/vm.h"
#include "compiler/storage/file_systems.h"

/*
 * Whether its mkfs makes it, at the first start: where it is not made in process, or further
 * arguments are given.
 */
bool volume_by_mkfs(const struct volume *volume, const struct file_system *system);
/* What the VM does with it, in mvm-host's words. */
const char *volume_use(const struct volume *volume);
/* The UUID of the file system that is made, as blkid writes it. */
const char *volume_uuid(struct arena *arena, const struct vm *vm, const struct volume *volume);
/* What everything that identifies the volume derives from. */
const char *volume_seed(struct arena *arena, const struct vm *vm, const struct volume *volume);
/* The command, without the image: mkfs.xfs -q -m uuid=… -L data. */
void volume_mkfs(struct arena *arena, const struct vm *vm, const struct volume *volume,
	struct strings *command);

#endif
