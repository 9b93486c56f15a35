/* SPDX-License-Identifier: MIT */
#include "compiler/storage/storage.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "compiler/storage/runner_paths.h"
#include "compiler/storage/volume.h"

/*
 * Serial numbers by which the guest finds its disks; letters change with the order of the devices.
 */
#define STORE_SERIAL "mvm-store"
#define VOLUME_SERIAL "mvm-volume-%zu"

/* ---- disks ---- */

const char *storage_store_disk(const struct vm *vm)
{
	return strcmp(vm->store_disk.type, "erofs") == 0 ? RUNNER_SHARE "/stage1.erofs"
							 : RUNNER_SHARE "/stage1.squashfs";
}

static const char *volume_id(struct arena *arena, size_t number)
{
	return number < 26 ? arena_printf(arena, "vd%c", (char)('a' + number))
			   : arena_printf(arena, "disk%zu", number);
}

void storage_disks(struct arena *arena, const struct vm *vm, struct guest *guest)
{
	struct disk *disks = arena_alloc(arena, (vm->volumes.n + 1) * sizeof *disks);
	size_t n = 0;
	if (vm->store_on_disk)
		disks[n++] = (struct disk){.id = "store",
			.serial = STORE_SERIAL,
			.file = {storage_store_disk(vm), true},
			.format = "raw",
			.read_only = true};
	for (size_t i = 0; i < vm->volumes.n; i++, n++) {
		const struct volume *volume = &vm->volumes.v[i];
		const char *serial =
			volume->serial ? volume->serial : arena_printf(arena, VOLUME_SERIAL, i);
		disks[n] = (struct disk){volume_id(arena, n), serial, {volume->image, false},
			volume->image_type, volume->read_only, volume->direct, volume};
	}
	guest->disks = disks;
	guest->ndisks = n;
}

/* ---- the store ---- */

/* The share of the host's store that stands in for a store disk; NULL when there is a disk. */
static const struct share *store_share(const struct vm *vm)
{
	for (size_t i = 0; !vm->store_on_disk && i < vm->shares.n; i++)
		if (strcmp(vm->shares.v[i].source, vm->store_dir) == 0)
			return &vm->shares.v[i];
	return NULL;
}

/* Where the store itself is mounted: on its place, unless there comes something over it. */
static const char *store_target(struct arena *arena, const struct vm *vm)
{
	const struct share *share = store_share(vm);
	if (share && strcmp(share->mount_point, vm->store_dir) != 0)
		return share->mount_point;
	return vm->writable_store_overlay
		? path_join(arena, path_parent(arena, vm->store_dir), ".ro-store")
		: vm->store_dir;
}

static bool is_on(const char *path, const char *mount_point, size_t *depth)
{
	size_t length = mount_point ? strlen(mount_point) : 0;
	bool is_root = length == 1;
	if (!length || !(is_root || is_within(path, mount_point)) || length < *depth)
		return false;
	*depth = length;
	return true;
}

struct storage_place storage_find(const struct vm *vm, const char *path)
{
	struct storage_place found = {0};
	size_t depth = 0;
	for (size_t i = 0; i < vm->volumes.n; i++)
		if (is_on(path, vm->volumes.v[i].mount_point, &depth))
			found.volume = &vm->volumes.v[i];
	for (size_t i = 0; i < vm->shares.n; i++)
		if (is_on(path, vm->shares.v[i].mount_point, &depth))
			found = (struct storage_place){.share = &vm->shares.v[i]};
	return found;
}

bool store_overlay_find(struct arena *arena, const struct vm *vm, struct store_overlay *overlay)
{
	*overlay = (struct store_overlay){0};
	if (!vm->writable_store_overlay)
		return false;
	overlay->lower = store_target(arena, vm);
	overlay->upper = path_join(arena, vm->writable_store_overlay, "store");
	overlay->work = path_join(arena, vm->writable_store_overlay, "work");
	struct storage_place place = storage_find(vm, overlay->upper);
	overlay->volume = place.volume;
	overlay->share = place.share;
	return true;
}

/*
 * The lower layer is another one after an update, which the kernel allows only when the upper one
 * remembers nothing of it: Documentation/filesystems/overlayfs.rst, "Changes to underlying
 * filesystems". In a share, attributes trusted.* would take a virtiofsd with CAP_SYS_ADMIN;
 * userxattr takes user.*, and switches redirect_dir off by itself (redirect_dir=off would mean to
 * follow those that are there).
 */
const char *overlay_options(struct arena *arena, const char *lower, const char *upper,
	const char *work, const struct share *upper_share)
{
	return arena_printf(arena,
		"lowerdir=%s,upperdir=%s,workdir=%s,index=off,metacopy=off,xino=off,%s", lower,
		upper, work, upper_share ? "userxattr" : "redirect_dir=nofollow");
}

static struct stage1_mount overlay_mount(
	struct arena *arena, const struct vm *vm, const struct store_overlay *overlay)
{
	const char *options = overlay_options(
		arena, overlay->lower, overlay->upper, overlay->work, overlay->share);
	return (struct stage1_mount){STAGE1_NAME, "overlay", vm->store_dir, "overlay", options,
		false, NULL, false, NULL};
}

/* ---- mounts ---- */

static int compare_targets(const void *a, const void *b)
{
	return strcmp(
		((const struct stage1_mount *)a)->target, ((const struct stage1_mount *)b)->target);
}

/* The guest's name of a disk that has no serial number: the kernel names them in their order. */
static const char *disk_name(struct arena *arena, size_t number)
{
	return number < 26 ? arena_printf(arena, "/dev/vd%c", (char)('a' + number))
			   : arena_printf(arena, "/dev/vd%c%c", (char)('a' + number / 26 - 1),
				     (char)('a' + number % 26));
}

enum stage1_source storage_disk_source(struct arena *arena, const struct backend *backend,
	const struct guest *guest, size_t disk, const char **source)
{
	*source = backend->disk_serials ? guest->disks[disk].serial : disk_name(arena, disk);
	return backend->disk_serials ? STAGE1_DISK_SERIAL : STAGE1_NAME;
}

/*
 * Nix registers a path without waiting for its files to be on the disk, and its database gets there
 * by other ways than they: when a VM is cut off, a registered path may have empty files
 * (sync-before-registering in nix.conf prevents it). In ext4's journal, data keep their order.
 */
static const char *volume_options(const struct volume *volume, const struct store_overlay *overlay)
{
	bool journals =
		strcmp(volume->fs_type, "ext4") == 0 || strcmp(volume->fs_type, "ext3") == 0;
	return volume == overlay->volume && journals ? "data=journal" : "";
}

/* By which the guest knows a disk without a serial number; NULL when nothing is known of it. */
static const char *identity_text(
	struct arena *arena, const struct vm *vm, const struct volume *volume)
{
	if (volume->label)
		return arena_printf(arena, "label:%s", volume->label);
	return volume->auto_create ? arena_printf(arena, "uuid:%s", volume_uuid(arena, vm, volume))
				   : NULL;
}

static bool grows_mounted(const struct volume *volume)
{
	return volume->auto_create && !volume->read_only &&
		(strcmp(volume->fs_type, "xfs") == 0 || strcmp(volume->fs_type, "btrfs") == 0);
}

static void add_volume(struct arena *arena, const struct vm *vm,
	const struct store_overlay *overlay, const struct volume *volume, enum stage1_source kind,
	const char *source, struct stage1_mounts *mounts)
{
	if (!volume->mount_point)
		return;
	vec_push(arena, mounts,
		(struct stage1_mount){.source_kind = kind,
			.source = source,
			.target = volume->mount_point,
			.type = volume->fs_type,
			.options = volume_options(volume, overlay),
			.read_only = volume->read_only,
			.identity = kind == STAGE1_NAME ? identity_text(arena, vm, volume) : NULL,
			.grows = grows_mounted(volume),
			.image = volume->image});
}

static void add_store_disk(struct arena *arena, const struct vm *vm, enum stage1_source kind,
	const char *source, struct stage1_mounts *mounts)
{
	const bool verity = vm->store_disk.verity;
	vec_push(arena, mounts,
		(struct stage1_mount){.source_kind = verity ? STAGE1_NAME : kind,
			.source = verity ? STAGE1_MAPPED STORE_MAPPED : source,
			.target = store_target(arena, vm),
			.type = vm->store_disk.type,
			.options = "",
			.read_only = true});
}

static void add_disk(struct arena *arena, const struct vm *vm, const struct backend *backend,
	const struct store_overlay *overlay, const struct guest *guest, size_t disk,
	struct stage1_mounts *mounts)
{
	const char *source;
	const enum stage1_source kind = storage_disk_source(arena, backend, guest, disk, &source);
	const struct volume *volume = guest->disks[disk].volume;
	if (volume)
		add_volume(arena, vm, overlay, volume, kind, source, mounts);
	else
		add_store_disk(arena, vm, kind, source, mounts);
}

static void add_share(struct arena *arena, const struct share *share, const char *target,
	struct stage1_mounts *mounts)
{
	vec_push(arena, mounts,
		(struct stage1_mount){.source_kind = STAGE1_NAME,
			.source = share->tag,
			.target = target,
			.type = share->proto,
			.options = strcmp(share->proto, "9p") == 0
				? "trans=virtio,version=9p2000.L,msize=65536"
				: "",
			.read_only = share->read_only});
}

/*
 * Parents come before what is mounted inside them: sorted by path, but for the store that is
 * elsewhere as well.
 */
void storage_mounts(struct arena *arena, const struct vm *vm, const struct backend *backend,
	const struct guest *guest, struct stage1_mounts *mounts)
{
	const struct share *store = store_share(vm);
	const char *target = store_target(arena, vm);
	struct store_overlay overlay;
	bool writable = store_overlay_find(arena, vm, &overlay);
	for (size_t i = 0; i < guest->ndisks; i++)
		add_disk(arena, vm, backend, &overlay, guest, i, mounts);
	for (size_t i = 0; i < vm->shares.n; i++)
		add_share(arena, &vm->shares.v[i],
			&vm->shares.v[i] == store ? target : vm->shares.v[i].mount_point, mounts);
	if (mounts->n)
		qsort(mounts->v, mounts->n, sizeof *mounts->v, compare_targets);
	if (writable)
		vec_push(arena, mounts, overlay_mount(arena, vm, &overlay));
	else if (strcmp(target, vm->store_dir) != 0)
		vec_push(arena, mounts,
			(struct stage1_mount){STAGE1_NAME, target, vm->store_dir, "none", "bind",
				true, NULL, false, NULL});
}

const char *nix_state_dir(struct arena *arena, const struct vm *vm)
{
	return arena_printf(arena, "%s/var/nix", path_parent(arena, vm->store_dir));
}

bool storage_is_early(struct arena *arena, const struct vm *vm, const char *target)
{
	struct store_overlay overlay;
	const char *paths[] = {
		vm->store_dir, store_target(arena, vm), nix_state_dir(arena, vm), NULL};
	if (store_overlay_find(arena, vm, &overlay))
		paths[3] = overlay.upper;
	bool early = strcmp(target, "/") == 0;
	for (size_t i = 0; i < countof(paths) && paths[i]; i++)
		early |= is_within(paths[i], target);
	return early;
}
