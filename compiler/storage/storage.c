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
 * Serial numbers by which the guest finds its disks; letters change with the order of the devices.
 */
#define STORE_SERIAL "mvm-store"
#define VOLUME_SERIAL "mvm-volume-%zu"

/* ---- disks ---- */

const char *storage_store_disk(const struct vm *vm)
{
	return store_formats[vm->store_disk.type].image;
}

static const char *volume_id(struct arena *arena, size_t number)
{
	return number < 26 ? arena_printf(arena, "vd%c", (char)('a' + number))
			   : arena_printf(arena, "disk%zu", number);
}

void storage_lower(struct arena *arena, const struct vm *vm, const struct storage *storage,
	struct guest *guest)
{
	struct disk *disks = arena_alloc(arena, (vm->volumes.n + 1) * sizeof *disks);
	size_t n = 0;
	if (vm->store_on_disk)
		disks[n++] = (struct disk){.id = "store",
			.serial = STORE_SERIAL,
			.file = {storage_store_disk(vm), true},
			.format = IMAGE_RAW,
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
	guest->shares = storage->shares.v;
	guest->nshares = storage->shares.n;
}

/* ---- mounts ---- */

static int compare_targets(const void *a, const void *b)
{
	const struct guest_mount *x = a, *y = b;
	return strcmp(x->stage1.target, y->stage1.target);
}

/* The guest's name of a disk that has no serial number: the kernel names them in their order. */
static const char *disk_name(struct arena *arena, size_t number)
{
	return number < 26 ? arena_printf(arena, "/dev/vd%c", (char)('a' + number))
			   : arena_printf(arena, "/dev/vd%c%c", (char)('a' + number / 26 - 1),
				     (char)('a' + number % 26));
}

bool storage_disk_source(struct arena *arena, const struct backend *backend,
	const struct guest *guest, size_t disk, const char **source)
{
	*source = backend->disk_serials ? guest->disks[disk].serial : disk_name(arena, disk);
	return backend->disk_serials;
}

static const char *volume_options(const struct volume *volume, const struct store_overlay *overlay)
{
	const struct file_system *system = file_system_find(volume->fs_type);
	const char *options = system ? system->overlay_options : NULL;
	return volume == overlay->volume && options ? options : "";
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
	const struct file_system *system = file_system_created(volume->fs_type);
	return volume->auto_create && !volume->read_only && system && system->grows_mounted;
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

static void add_volume(
	const struct lister *lister, const struct volume *volume, bool is_disk, const char *source)
{
	if (!volume->mount_point)
		return;
	const struct stage1_mount mount = {
		.is_disk = is_disk,
		.source = source,
		.target = volume->mount_point,
		.type = volume->fs_type,
		.options = volume_options(volume, &lister->storage->overlay),
		.read_only = volume->read_only,
		.identity = is_disk ? NULL : identity_text(lister->arena, lister->vm, volume),
		.image = volume->image,
	};
	vec_push(lister->arena, lister->mounts,
		(struct guest_mount){mount, volume->label, grows_mounted(volume)});
}

/* Under dm-verity, the disk is mounted by the name of the device that compares it. */
static void add_store_disk(const struct lister *lister, bool is_disk, const char *source)
{
	const struct vm *vm = lister->vm;
	const bool verity = vm->store_disk.verity;
	const char *label = verity ? NULL : store_formats[vm->store_disk.type].label;
	const struct stage1_mount mount = {
		.is_disk = is_disk && !verity,
		.source = verity ? STAGE1_MAPPED STORE_MAPPED : source,
		.target = lister->storage->store_target,
		.type = store_type_names[vm->store_disk.type],
		.options = "",
		.read_only = true,
	};
	vec_push(lister->arena, lister->mounts, (struct guest_mount){mount, label, false});
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

/*
 * Parents come before what is mounted inside them: sorted by path, but for the store that is
 * elsewhere as well.
 */
void storage_mounts(struct arena *arena, const struct vm *vm, const struct storage *storage,
	const struct backend *backend, const struct guest *guest, struct guest_mounts *mounts)
{
	const struct lister lister = {arena, vm, storage, mounts};
	for (size_t i = 0; i < guest->ndisks; i++) {
		const char *source;
		const bool is_disk = storage_disk_source(arena, backend, guest, i, &source);
		if (guest->disks[i].volume)
			add_volume(&lister, guest->disks[i].volume, is_disk, source);
		else
			add_store_disk(&lister, is_disk, source);
	}
	for (size_t i = 0; i < storage->shares.n; i++)
		add_share(&lister, storage->shares.v[i]);
	if (mounts->n)
		qsort(mounts->v, mounts->n, sizeof *mounts->v, compare_targets);
	if (storage->writable)
		add_mount(&lister, overlay_mount(arena, vm, &storage->overlay));
	else if (strcmp(storage->store_target, vm->store_dir) != 0)
		add_mount(&lister,
			(struct stage1_mount){.source = storage->store_target,
				.target = vm->store_dir,
				.type = "none",
				.options = "bind",
				.read_only = true});
}
