/* SPDX-License-Identifier: MIT */
/* storage: the guest's disks, and what it mounts in order, as the description alone decides it. */
#ifndef MVM_COMPILER_STORAGE_STORAGE_H
#define MVM_COMPILER_STORAGE_STORAGE_H

#include "backends/interface/backend.h"
#include "backends/interface/vm.h"
#include "compiler/storage/store_mount.h"
#include "imaging/initrd/stage1.h"

/* A mount of the guest, which our stage 1 or the guest itself makes. */
struct guest_mount {
	struct stage1_mount stage1;
	const struct disk *disk; /* NULL: it is not of a disk */
	const char *label;       /* of the file system; NULL: it has none that is known */
	bool grows;              /* its disk may have become larger than its file system */
};

struct guest_mounts {
	struct guest_mount *v;
	size_t n, capacity;
};

/* The store disk's image, in the runner. */
const char *storage_store_disk(const struct vm *vm);
/* With a hash tree, the store disk is mounted from STAGE1_MAPPED and this name. */
#define STORE_MAPPED "store"
/* The store disk, if there is one, and the volumes. */
const struct disk *storage_disks(
	struct arena *arena, const struct vm *vm, const struct backend *backend, size_t *count);
/* Lists what the guest mounts, in order; the store's overlay, if there is one, comes last. */
void storage_mounts(struct arena *arena, const struct vm *vm, const struct storage *storage,
	const struct guest *guest, struct guest_mounts *mounts);

#endif
