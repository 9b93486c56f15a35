/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/shape.h"
#include "compiler/check/checks.h"
#include "compiler/storage/volume.h"

enum { VIRTIO_SERIAL_BYTES = 20 };

/* The guest finds a volume by its UUID, which mvmbuild passes to mkfs. */
static bool sets_uuid(const struct volume_type *type, const char *argument)
{
	return *type->uuid_prefix
		? strstr(argument, type->uuid_prefix) != NULL
		: strncmp(argument, type->uuid_option, strlen(type->uuid_option)) == 0;
}

static void check_mkfs(const struct checker *checker, const struct volume *volume,
	const struct volume_type *type, size_t i)
{
	const struct strings *arguments = &volume->mkfs_extra_args;
	for (size_t k = 0; k < arguments->n; k++)
		if (sets_uuid(type, arguments->v[k]))
			wrong(checker, vm_where(checker->vm, arguments->v[k]), "bad-volume",
				"volumes[%zu].mkfsExtraArgs: \"%.40s\": mvmbuild sets the UUID "
				"itself, so that the guest finds the volume",
				i, arguments->v[k]);
	if (volume->size_mib && volume->size_mib < type->minimum_mib && !arguments->n)
		wrong(checker, place(checker, &volume->size_mib, &volume->where), "wrong-size",
			"volumes[%zu].size: %s needs at least %llu MiB", i, type->name,
			(unsigned long long)type->minimum_mib);
}

static void check_created_volume(
	const struct checker *checker, const struct volume *volume, size_t i)
{
	const struct volume_type *type = volume_type_find(volume->fs_type);
	if (sound(checker, &volume->size_mib) && !volume->size_mib)
		wrong(checker, &volume->where, "missing-option",
			"volumes[%zu].size is missing; give it, or set autoCreate: false", i);
	if (type)
		check_mkfs(checker, volume, type, i);
	else if (is_fs_type(volume->fs_type))
		wrong(checker, place(checker, &volume->fs_type, &volume->where), "bad-volume",
			"volumes[%zu].fsType: mvmbuild creates ext2, ext3, ext4, xfs, btrfs and "
			"vfat; set autoCreate: false for an existing %.40s",
			i, volume->fs_type);
	if (volume->image_type != IMAGE_RAW)
		wrong(checker, place(checker, &volume->image_type, &volume->where), "bad-volume",
			"volumes[%zu].imageType: created images are raw; set autoCreate: false for "
			"an existing %s image",
			i, image_type_names[volume->image_type]);
	if (sound(checker, &volume->image) && is_within(volume->image, "/dev") &&
		!is_within(volume->image, "/dev/shm"))
		wrong(checker, place(checker, &volume->image, &volume->where), "bad-volume",
			"volumes[%zu].image: mvmbuild does not create devices; set autoCreate: "
			"false for %.80s",
			i, volume->image);
	if (volume->read_only)
		diag_warning(checker->diag, place(checker, &volume->read_only, &volume->where),
			"empty-volume",
			"volumes[%zu]: the volume is created empty and is read-only, so it stays "
			"empty",
			i);
}

/*
 * An existing volume of another file system may have a label of up to 255 bytes, the longest of any
 * file system.
 */
static void check_label(const struct checker *checker, const struct volume *volume, size_t i)
{
	enum { LONGEST = 255 };
	const struct volume_type *type = volume_type_find(volume->fs_type);
	const struct pos *where = place(checker, &volume->label, &volume->where);
	size_t longest = type ? type->label_bytes : LONGEST;
	if (strlen(volume->label) > longest || !*volume->label || strpbrk(volume->label, "\n/"))
		wrong(checker, where, "bad-label",
			"volumes[%zu].label: %.20s labels have 1 to %zu bytes, without '/' and "
			"line breaks",
			i, volume->fs_type, longest);
	else if (strcmp(volume->fs_type, "vfat") == 0 &&
		strcspn(volume->label, "abcdefghijklmnopqrstuvwxyz*?.,;:\\|+=<>[]\"") <
			strlen(volume->label))
		wrong(checker, where, "bad-label",
			"volumes[%zu].label: vfat labels have only capital letters, digits, '-' "
			"and '_'",
			i);
}

static void check_image(const struct checker *checker, const struct volume *volume, size_t i)
{
	const struct pos *where = place(checker, &volume->image, &volume->where);
	if (!*volume->image || strchr(volume->image, '\n'))
		wrong(checker, where, "bad-path",
			"volumes[%zu].image: expected a path without line breaks", i);
	if (sound(checker, &volume->read_only) && !volume->read_only &&
		is_within(volume->image, checker->vm->store_dir))
		wrong(checker, where, "bad-volume",
			"volumes[%zu].image: %s is in the store, which is read-only; set readOnly: "
			"true",
			i, volume->image);
}

static void check_serial(const struct checker *checker, const struct volume *volume, size_t i)
{
	const struct pos *where = place(checker, &volume->serial, &volume->where);
	if (strlen(volume->serial) > VIRTIO_SERIAL_BYTES || !*volume->serial ||
		!is_made_of(volume->serial, "-_."))
		wrong(checker, where, "bad-serial",
			"volumes[%zu].serial: expected 1 to %d letters, digits, '-', '_' and '.'",
			i, VIRTIO_SERIAL_BYTES);
	else if (strncmp(volume->serial, "mvm-", 4) == 0)
		wrong(checker, where, "bad-serial",
			"volumes[%zu].serial: names that start with \"mvm-\" are reserved for "
			"mvmbuild",
			i);
}

static void check_volume(const struct checker *checker, const struct volume *volume, size_t i)
{
	if (sound(checker, &volume->image))
		check_image(checker, volume, i);
	if (volume->serial)
		check_serial(checker, volume, i);
	if (volume->label)
		check_label(checker, volume, i);
	if (!is_fs_type(volume->fs_type))
		wrong(checker, place(checker, &volume->fs_type, &volume->where), "bad-volume",
			"volumes[%zu].fsType: \"%.40s\" is not a valid file system name", i,
			volume->fs_type);
	if (volume->mount_point)
		check_mount_point(checker, place(checker, &volume->mount_point, &volume->where),
			arena_printf(checker->arena, "volumes[%zu]", i), volume->mount_point);
	if (sound(checker, &volume->auto_create) && volume->auto_create)
		check_created_volume(checker, volume, i);
	else if (volume->mkfs_extra_args.n)
		diag_warning(checker->diag,
			place(checker, &volume->mkfs_extra_args, &volume->where), "ignored",
			"volumes[%zu].mkfsExtraArgs: ignored, because the volume is not created",
			i);
}

void check_volumes(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	struct claims points = {0}, serials = {0}, labels = {0};
	for (size_t i = 0; i < vm->volumes.n; i++) {
		const struct volume *volume = &vm->volumes.v[i];
		check_volume(checker, volume, i);
		claim(checker, &points, volume->mount_point, &volume->mount_point, &volume->where);
		claim(checker, &serials, volume->serial, &volume->serial, &volume->where);
		claim(checker, &labels, volume->label, &volume->label, &volume->where);
	}
	for (size_t i = 0; i < vm->shares.n; i++)
		claim(checker, &points, vm->shares.v[i].mount_point, &vm->shares.v[i].mount_point,
			&vm->shares.v[i].where);
	if (checker->storage->database)
		claim_derived(checker, &points, checker->storage->database->mount_point,
			&checker->storage->database->where);
	refuse_twice(checker, &points, "mount point");
	refuse_twice(checker, &serials, "serial");
	refuse_twice(checker, &labels, "label");
}
