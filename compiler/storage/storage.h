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
	const char *label; /* of the file system; NULL: it has none that is known */
	bool grows;        /* its disk may have become larger than its file system */
};

struct guest_mounts {
	struct guest_mount *v;
	size_t n, capacity;
};

/* The store disk's image, in the runner. */
const char *storage_store_disk(const struct vm *vm);
/* By which it is mounted when it has a hash tree: STAGE1_MAPPED, and this. */
#define STORE_MAPPED "store"
/* Fills in the guest's disks and shares. */
void storage_lower(struct arena *arena, const struct vm *vm, const struct storage *storage,
	struct guest *guest);
/* Of a guest that has its disks. The store's overlay, if any, is the last. */
void storage_mounts(struct arena *arena, const struct vm *vm, const struct storage *storage,
	const struct guest *guest, struct guest_mounts *mounts);

#endif
