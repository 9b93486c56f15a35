/* SPDX-License-Identifier: MIT */
/* storage: the guest's disks, and what it mounts in order, as the description alone decides it. */
#ifndef MVM_COMPILER_STORAGE_STORAGE_H
#define MVM_COMPILER_STORAGE_STORAGE_H

#include "backends/interface/backend.h"
#include "backends/interface/vm.h"
#include "compiler/storage/store_mount.h"
#include "imaging/initrd/stage1.h"

struct stage1_mounts {
	struct stage1_mount *v;
	size_t n, capacity;
};

/* The store disk's image, in the runner. */
const char *storage_store_disk(const struct vm *vm);
/* By which it is mounted when it has a hash tree: STAGE1_MAPPED, and this. */
#define STORE_MAPPED "store"
/* How the guest finds a disk: by its serial number, or by its name where it has none. */
enum stage1_source storage_disk_source(struct arena *arena, const struct backend *backend,
	const struct guest *guest, size_t disk, const char **source);
/* Fills in the guest's disks and shares. */
void storage_lower(struct arena *arena, const struct vm *vm, const struct storage *storage,
	struct guest *guest);
/* Of a guest that has its disks. The store's overlay, if any, is the last. */
void storage_mounts(struct arena *arena, const struct vm *vm, const struct storage *storage,
	const struct backend *backend, const struct guest *guest, struct stage1_mounts *mounts);

#endif
