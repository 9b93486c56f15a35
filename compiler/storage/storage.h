/* SPDX-License-Identifier: MIT */
/* storage: the guest's disks and its mounts in order, derived from the description alone. */
#ifndef MVM_COMPILER_STORAGE_STORAGE_H
#define MVM_COMPILER_STORAGE_STORAGE_H

#include "backends/interface/backend.h"
#include "backends/interface/vm.h"
#include "compiler/storage/store_mount.h"
#include "imaging/initrd/stage1.h"

/* A mount of the guest, made by our stage 1 or by the guest itself. */
struct guest_mount {
	struct stage1_mount stage1;
	const struct disk *disk; /* NULL: not a disk */
	const char *label;       /* label of the file system; NULL: none or unknown */
	bool grows;              /* its disk may have become larger than its file system */
};

struct guest_mounts {
	struct guest_mount *v;
	size_t n, capacity;
};

/* The path of the store disk's image in the runner. */
const char *storage_store_disk(const struct vm *vm);
/*
 * Device-mapper name of the store disk under dm-verity; its device is STAGE1_MAPPED followed by it.
 */
#define STORE_MAPPED "store"
/* The store disk, if the VM has one, and the volumes. */
const struct disk *storage_disks(
	struct arena *arena, const struct vm *vm, const struct backend *backend, size_t *count);
/* Lists the guest's mounts in order; the store's overlay, if there is one, comes last. */
void storage_mounts(struct arena *arena, const struct vm *vm, const struct storage *storage,
	const struct guest *guest, struct guest_mounts *mounts);

#endif
