/* SPDX-License-Identifier: MIT */
#include "compiler/storage/storage.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "compiler/storage/runner_paths.h"
#include "compiler/storage/store_formats.h"
#include "compiler/storage/volume.h"

/*
 * Serial numbers by which the guest finds its disks. Device letters depend on the order of devices.
 */
#define STORE_SERIAL "mvm-store"
/* Persistent memory has no serial number; the VM has no other. */
#define STORE_PMEM_DEVICE "/dev/pmem0"
#define VOLUME_SERIAL "mvm-volume-%zu"

/* ---- disks ---- */

bool storage_disk_on_host(const struct vm *vm)
{
	return vm->store_on_disk && vm->store_disk.link == LINK_HOST;
}

bool storage_disk_in_runner(const struct vm *vm)
{
	return vm->store_on_disk && vm->store_disk.link == LINK_BUILD;
}

const char *storage_disk_link(struct arena *arena, const struct vm *vm)
{
	return arena_printf(arena, "%s" STORE_DISK_LINK, vm->host_name);
}

const char *storage_store_disk(const struct vm *vm)
{
	return store_formats[vm->store_disk.type].image;
}

static const char *volume_id(struct arena *arena, size_t number)
{
	return number < 26 ? arena_printf(arena, "vd%c", (char)('a' + number))
			   : arena_printf(arena, "disk%zu", number);
}

static struct disk store_disk(struct arena *arena, const struct vm *vm)
{
	const bool in_runner = storage_disk_in_runner(vm);
	return (struct disk){.id = "store",
		.serial = STORE_SERIAL,
		.file = {in_runner ? storage_store_disk(vm) : storage_disk_link(arena, vm),
			in_runner},
		.format = IMAGE_RAW,
		.read_only = true,
		.direct = vm->store_disk.direct,
		.pmem = vm->store_disk.device == STORE_PMEM};
}

static struct disk volume_disk(struct arena *arena, const struct vm *vm, size_t i)
{
	const struct volume *volume = &vm->volumes.v[i];
	return (struct disk){
		.id = volume_id(arena, i + vm->store_on_disk),
		.serial = volume->serial ? volume->serial : arena_printf(arena, VOLUME_SERIAL, i),
		.file = {volume->image, false},
		.format = volume->image_type,
		.read_only = volume->read_only,
		.direct = volume->direct,
		.volume = volume,
	};
}

/* The kernel numbers disks in their order. */
static const char *device_name(struct arena *arena, size_t number)
{
	return number < 26 ? arena_printf(arena, "/dev/vd%c", (char)('a' + number))
			   : arena_printf(arena, "/dev/vd%c%c", (char)('a' + number / 26 - 1),
				     (char)('a' + number % 26));
}

const struct disk *storage_disks(
	struct arena *arena, const struct vm *vm, const struct backend *backend, size_t *count)
{
	struct disk *disks = arena_alloc(arena, (vm->volumes.n + 1) * sizeof *disks);
	size_t n = 0;
	if (vm->store_on_disk)
		disks[n++] = store_disk(arena, vm);
	for (size_t i = 0; i < vm->volumes.n; i++)
		disks[n++] = volume_disk(arena, vm, i);
	size_t blocks = 0;
	for (size_t i = 0; i < n; i++) {
		disks[i].by_serial = backend->disk_serials && !disks[i].pmem;
		disks[i].source = disks[i].pmem ? STORE_PMEM_DEVICE
			: disks[i].by_serial    ? disks[i].serial
						: device_name(arena, blocks);
		blocks += !disks[i].pmem;
	}
	*count = n;
	return disks;
}

/* ---- mounts ---- */

static int compare_targets(const void *a, const void *b)
{
	const struct guest_mount *x = a, *y = b;
	if (x->below_root != y->below_root)
		return x->below_root ? -1 : 1;
	return strcmp(x->stage1.target, y->stage1.target);
}

static const char *volume_options(const struct volume *volume, const struct store_overlay *overlay)
{
	const struct file_system *system = file_system_find(volume->fs_type);
	const char *options = system ? system->overlay_options : NULL;
	return volume == overlay->volume && options ? options : "";
}

/*
 * The label or UUID by which the guest identifies a disk without a serial number; NULL if neither
 * is known.
 */
static const char *identity_text(
	struct arena *arena, const struct vm *vm, const struct volume *volume)
{
	if (volume->label)
		return arena_printf(arena, "label:%s", volume->label);
	return volume->auto_create ? arena_printf(arena, "uuid:%s", volume_uuid(arena, vm, volume))
				   : NULL;
}

/* Whether stage 1 has the kernel enlarge the file system of a volume that has become larger. */
static bool grows_mounted(const struct volume *volume)
{
	const struct file_system *system = file_system_created(volume->fs_type);
	return volume->auto_create && !volume->read_only && system && system->grows_mounted &&
		volume->size_mib >= system->grows_minimum_mib;
}

struct lister {
	struct arena *arena;
	const struct vm *vm;
	const struct storage *storage;
	struct guest_mounts *mounts;
};

static void add_mount(const struct lister *lister, struct stage1_mount mount)
{
	vec_push(lister->arena, lister->mounts, (struct guest_mount){.stage1 = mount});
}

/* The last mount, the volume at /, becomes the layer with the changes to the root. */
static void make_root_changes(const struct lister *lister)
{
	struct guest_mount *layer = &lister->mounts->v[lister->mounts->n - 1];
	struct guest_mount seen = *layer;
	layer->stage1.target = ROOT_CHANGES;
	layer->below_root = true;
	seen.stage1.target = ROOT_CHANGES_SEEN;
	seen.grows = false;
	vec_push(lister->arena, lister->mounts, seen);
}

static void add_volume(const struct lister *lister, const struct disk *disk)
{
	const struct volume *volume = disk->volume;
	if (!volume->mount_point)
		return;
	const struct stage1_mount mount = {
		.is_disk = disk->by_serial,
		.source = disk->source,
		.target = volume->mount_point,
		.type = volume->fs_type,
		.options = volume_options(volume, &lister->storage->overlay),
		.read_only = volume->read_only,
		.identity =
			disk->by_serial ? NULL : identity_text(lister->arena, lister->vm, volume),
		.image = volume->image,
	};
	vec_push(lister->arena, lister->mounts,
		(struct guest_mount){mount, disk, volume->label, grows_mounted(volume), false});
	if (lister->vm->rootfs && strcmp(volume->mount_point, "/") == 0)
		make_root_changes(lister);
}

/* With dm-verity, the mount's source is the device that verifies the disk. */
static void add_store_disk(const struct lister *lister, const struct disk *disk)
{
	const struct vm *vm = lister->vm;
	const bool verity = vm->store_disk.verity;
	const char *label = verity ? NULL : store_formats[vm->store_disk.type].label;
	const struct stage1_mount mount = {
		.is_disk = disk->by_serial && !verity,
		.source = verity ? STAGE1_MAPPED STORE_MAPPED : disk->source,
		.target = lister->storage->store_target,
		.type = store_type_names[vm->store_disk.type],
		/* Without dax the guest would copy each page. */
		.options = disk->pmem ? "dax=always" : "",
		.read_only = true,
	};
	vec_push(lister->arena, lister->mounts,
		(struct guest_mount){mount, disk, label, false, vm->rootfs != NULL});
}

static void add_share(const struct lister *lister, const struct share *share)
{
	const struct storage *storage = lister->storage;
	add_mount(lister,
		(struct stage1_mount){.source = share->tag,
			.target = share == storage->store ? storage->store_target
							  : share->mount_point,
			.type = share_proto_names[share->proto],
			.options = share->proto == SHARE_9P
				? "trans=virtio,version=9p2000.L,msize=65536"
				: share->dax ? "dax=always"
					     : "",
			.read_only = share->read_only});
}

static struct stage1_mount overlay_mount(
	struct arena *arena, const struct vm *vm, const struct store_overlay *overlay)
{
	return (struct stage1_mount){.source = "overlay",
		.target = vm->store_dir,
		.type = "overlay",
		.options = overlay_options(
			arena, overlay->lower, overlay->upper, overlay->work, overlay->share)};
}

bool storage_is_root_overlay(const struct stage1_mount *mount)
{
	return strcmp(mount->target, "/") == 0 && strcmp(mount->type, "overlay") == 0;
}

/* The overlay over a root file system, and the tmpfs for its changes if no volume keeps them. */
static void add_root(const struct lister *lister)
{
	const struct stage1_mount changes = {
		.source = "tmpfs", .target = ROOT_CHANGES, .type = "tmpfs", .options = "mode=0755"};
	bool kept = false;
	for (size_t i = 0; i < lister->mounts->n; i++)
		kept |= strcmp(lister->mounts->v[i].stage1.target, ROOT_CHANGES) == 0;
	if (!kept)
		vec_push(lister->arena, lister->mounts,
			(struct guest_mount){.stage1 = changes, .below_root = true});
	add_mount(lister,
		(struct stage1_mount){
			.source = "overlay", .target = "/", .type = "overlay", .options = ""});
}

void storage_complete_root(struct arena *arena, const char *name, struct guest_mounts *mounts)
{
	for (size_t i = 0; i < mounts->n; i++)
		if (storage_is_root_overlay(&mounts->v[i].stage1))
			mounts->v[i].stage1.options = overlay_options(arena,
				path_join(arena, ROOT_LOWER, name), ROOT_UPPER, ROOT_WORK, NULL);
}

/*
 * Parents come before the mounts inside them: sorted by path, except for a store that is also
 * mounted at another path.
 */
void storage_mounts(struct arena *arena, const struct vm *vm, const struct storage *storage,
	const struct guest *guest, struct guest_mounts *mounts)
{
	const struct lister lister = {arena, vm, storage, mounts};
	for (size_t i = 0; i < guest->ndisks; i++) {
		if (guest->disks[i].volume)
			add_volume(&lister, &guest->disks[i]);
		else
			add_store_disk(&lister, &guest->disks[i]);
	}
	for (size_t i = 0; i < storage->shares.n; i++)
		add_share(&lister, storage->shares.v[i]);
	if (vm->rootfs)
		add_root(&lister);
	if (mounts->n)
		qsort(mounts->v, mounts->n, sizeof *mounts->v, compare_targets);
	if (storage->writable)
		add_mount(&lister, overlay_mount(arena, vm, &storage->overlay));
	else if (!vm->rootfs && strcmp(storage->store_target, vm->store_dir) != 0)
		add_mount(&lister,
			(struct stage1_mount){.source = storage->store_target,
				.target = vm->store_dir,
				.type = "none",
				.options = "bind",
				.read_only = true});
}
