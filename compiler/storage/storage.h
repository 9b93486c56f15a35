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
	bool below_root;         /* a layer of the root, mounted before it in the initramfs */
};

/*
 * With a root file system, / is an overlay: the store disk is mounted on ROOT_LOWER, and the volume
 * with the mountPoint /, or a tmpfs, on ROOT_CHANGES. Both are paths in the initramfs. A volume is
 * mounted a second time on ROOT_CHANGES_SEEN in the guest, so that its shutdown leaves it clean:
 * below /run/initramfs systemd-shutdown unmounts nothing, but makes it read-only after / (systemd:
 * src/shutdown/umount.c, nonunmountable_path).
 */
#define ROOT_LOWER "/mvm/lower"
#define ROOT_CHANGES "/mvm/changes"
#define ROOT_UPPER ROOT_CHANGES "/upper"
#define ROOT_WORK ROOT_CHANGES "/work"
#define ROOT_CHANGES_SEEN "/run/initramfs/changes"

struct guest_mounts {
	struct guest_mount *v;
	size_t n, capacity;
};

/* Whether the runner contains the store disk. */
bool storage_disk_in_runner(const struct vm *vm);
/* Whether the host links the store disk. */
bool storage_disk_on_host(const struct vm *vm);
/* The path of the store disk's image in the runner. */
const char *storage_store_disk(const struct vm *vm);
/* The link to a store disk that the host links, in the state directory. */
const char *storage_disk_link(struct arena *arena, const struct vm *vm);
#define STORE_DISK_LINK "-store-disk" /* the end of its name, behind the hostName */
/*
 * Device-mapper name of the store disk under dm-verity; its device is STAGE1_MAPPED followed by it.
 */
#define STORE_MAPPED "store"
/* The store disk, if the VM has one, and the volumes. */
const struct disk *storage_disks(
	struct arena *arena, const struct vm *vm, const struct backend *backend, size_t *count);
/*
 * Lists the guest's mounts in order; the store's overlay, if there is one, comes last. The overlay
 * of a root file system has no options yet: storage_complete_root sets them.
 */
void storage_mounts(struct arena *arena, const struct vm *vm, const struct storage *storage,
	const struct guest *guest, struct guest_mounts *mounts);
/* Sets the options of the root's overlay, once the name of its lower layer is known. */
void storage_complete_root(struct arena *arena, const char *name, struct guest_mounts *mounts);
bool storage_is_root_overlay(const struct stage1_mount *mount);

#endif
