/* SPDX-License-Identifier: MIT */
/* storage: the guest's disks, and what it mounts in order, as the description alone decides it. */
#ifndef MVM_COMPILER_STORAGE_STORAGE_H
#define MVM_COMPILER_STORAGE_STORAGE_H

#include "backends/interface/backend.h"
#include "backends/interface/vm.h"
#include "imaging/initrd/stage1.h"

struct stage1_mounts {
	struct stage1_mount *v;
	size_t n, capacity;
};

/* A writable layer over the store. */
struct store_overlay {
	const char *lower;           /* where the store that nobody can write to is mounted */
	const char *upper, *work;    /* in writableStoreOverlay */
	const struct volume *volume; /* on which `upper` is; NULL: on none */
	const struct share *share;   /* likewise. Both NULL: in memory */
};

/*
 * What a path of the guest is on, by the innermost mount: a volume, a share, or neither, which is
 * memory.
 */
struct storage_place {
	const struct volume *volume;
	const struct share *share;
};
struct storage_place storage_find(const struct vm *vm, const char *path);

/* The options of an overlay whose upper layer is at `place`. */
const char *overlay_options(struct arena *arena, const char *lower, const char *upper,
	const char *work, const struct share *upper_share);

/* False when the store is not writable. */
bool store_overlay_find(struct arena *arena, const struct vm *vm, struct store_overlay *overlay);

/* Beside the store, as in Nix: /nix/store and /nix/var/nix. */
const char *nix_state_dir(struct arena *arena, const struct vm *vm);

/* The store disk's image, in the runner. */
const char *storage_store_disk(const struct vm *vm);
/* By which it is mounted when it has a hash tree: STAGE1_MAPPED, and this. */
#define STORE_MAPPED "store"
/* How the guest finds a disk: by its serial number, or by its name where it has none. */
enum stage1_source storage_disk_source(struct arena *arena, const struct backend *backend,
	const struct guest *guest, size_t disk, const char **source);
/* Fills in the guest's disks. */
void storage_disks(struct arena *arena, const struct vm *vm, struct guest *guest);
/* Of a guest that has its disks. The store's overlay, if any, is the last. */
void storage_mounts(struct arena *arena, const struct vm *vm, const struct backend *backend,
	const struct guest *guest, struct stage1_mounts *mounts);
/* Whether the guest's init needs what is mounted there: the store, its layers, Nix's state. */
bool storage_is_early(struct arena *arena, const struct vm *vm, const char *target);

#endif
