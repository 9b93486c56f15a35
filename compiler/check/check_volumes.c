/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/shape.h"
#include "compiler/check/check.h"
#include "compiler/storage/volume.h"

/* The guest finds a volume by its UUID, which mvmbuild passes to mkfs. */
static bool sets_uuid(const struct file_system *system, const char *argument)
{
	return *system->uuid_prefix
		? strstr(argument, system->uuid_prefix) != NULL
		: strncmp(argument, system->uuid_option, strlen(system->uuid_option)) == 0;
}

static void check_mkfs(const struct checker *checker, const struct volume *volume,
	const struct file_system *system, size_t i)
{
	const struct strings *arguments = &volume->mkfs_extra_args;
	for (size_t k = 0; k < arguments->n; k++)
		if (sets_uuid(system, arguments->v[k]))
			check_error(checker, vm_where(checker->vm, arguments->v[k]), "bad-volume",
				"volumes[%zu].mkfsExtraArgs: \"%.40s\": mvmbuild sets the UUID "
				"itself, so that the guest finds the volume",
				i, arguments->v[k]);
	if (volume->size_mib && volume->size_mib < system->minimum_mib && !arguments->n)
		check_error(checker, check_position(checker, &volume->size_mib, &volume->where),
			"wrong-size", "volumes[%zu].size: %s needs at least %llu MiB", i,
			system->name, (unsigned long long)system->minimum_mib);
}

/* "ext2, ext3, ext4, xfs, btrfs and vfat" */
static const char *created_file_systems(struct arena *arena)
{
	const char *text = NULL, *last = NULL;
	for (const struct file_system *system = file_systems; system->name; system++) {
		if (!system->mkfs)
			continue;
		text = text ? arena_printf(arena, "%s, %s", text, last) : last;
		last = system->name;
	}
	return arena_printf(arena, "%s and %s", text, last);
}

static void check_created_volume(
	const struct checker *checker, const struct volume *volume, size_t i)
{
	const struct file_system *system = file_system_created(volume->fs_type);
	if (check_accepted(checker, &volume->size_mib) && !volume->size_mib)
		check_error(checker, &volume->where, "missing-option",
			"volumes[%zu].size is missing; give it, or set autoCreate: false", i);
	if (system)
		check_mkfs(checker, volume, system, i);
	else if (is_fs_type(volume->fs_type))
		check_error(checker, check_position(checker, &volume->fs_type, &volume->where),
			"bad-volume",
			"volumes[%zu].fsType: mvmbuild creates %s; set autoCreate: false for an "
			"existing %.40s",
			i, created_file_systems(checker->arena), volume->fs_type);
	if (volume->image_type != IMAGE_RAW)
		check_error(checker, check_position(checker, &volume->image_type, &volume->where),
			"bad-volume",
			"volumes[%zu].imageType: created images are raw; set autoCreate: false for "
			"an existing %s image",
			i, image_type_names[volume->image_type]);
	if (check_accepted(checker, &volume->image) && is_within(volume->image, "/dev") &&
		!is_within(volume->image, "/dev/shm"))
		check_error(checker, check_position(checker, &volume->image, &volume->where),
			"bad-volume",
			"volumes[%zu].image: mvmbuild does not create devices; set autoCreate: "
			"false for %.80s",
			i, volume->image);
	if (volume->read_only)
		diag_warning(checker->diag,
			check_position(checker, &volume->read_only, &volume->where), "empty-volume",
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
	const struct file_system *system = file_system_created(volume->fs_type);
	const struct pos *where = check_position(checker, &volume->label, &volume->where);
	size_t longest = system && system->label_bytes ? system->label_bytes : LONGEST;
	if (strlen(volume->label) > longest || !*volume->label || strpbrk(volume->label, "\n/"))
		check_error(checker, where, "bad-label",
			"volumes[%zu].label: %.20s labels have 1 to %zu bytes, without '/' and "
			"line breaks",
			i, volume->fs_type, longest);
	else if (system && system->label_cannot && strpbrk(volume->label, system->label_cannot))
		check_error(checker, where, "bad-label",
			"volumes[%zu].label: %s labels have only %s", i, system->name,
			system->label_can);
}

/* Whether a path can only be that of a directory: "/srv/", "." */
static bool is_directory_name(const char *path)
{
	const char *last = strrchr(path, '/');
	last = last ? last + 1 : path;
	return !*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

static void check_image(const struct checker *checker, const struct volume *volume, size_t i)
{
	const struct pos *where = check_position(checker, &volume->image, &volume->where);
	if (is_directory_name(volume->image))
		check_error(checker, where, "bad-volume",
			"volumes[%zu].image: \"%.80s\" is a directory; name a file, such as "
			"data.img",
			i, volume->image);
	if (check_accepted(checker, &volume->read_only) && !volume->read_only &&
		is_within(volume->image, checker->vm->store_dir))
		check_error(checker, where, "bad-volume",
			"volumes[%zu].image: %s is in the store, which is read-only; set readOnly: "
			"true",
			i, volume->image);
}

static void check_serial(const struct checker *checker, const struct volume *volume, size_t i)
{
	const struct pos *where = check_position(checker, &volume->serial, &volume->where);
	if (strncmp(volume->serial, "mvm-", 4) == 0)
		check_error(checker, where, "bad-serial",
			"volumes[%zu].serial: names that start with \"mvm-\" are reserved for "
			"mvmbuild",
			i);
}

static void check_volume(const struct checker *checker, const struct volume *volume, size_t i)
{
	if (check_accepted(checker, &volume->image))
		check_image(checker, volume, i);
	if (volume->serial)
		check_serial(checker, volume, i);
	if (volume->label)
		check_label(checker, volume, i);
	if (volume->mount_point && check_accepted(checker, &volume->mount_point))
		check_mount_point(checker,
			check_position(checker, &volume->mount_point, &volume->where),
			arena_printf(checker->arena, "volumes[%zu]", i), volume->mount_point);
	if (check_accepted(checker, &volume->auto_create) && volume->auto_create)
		check_created_volume(checker, volume, i);
	else if (volume->mkfs_extra_args.n)
		diag_warning(checker->diag,
			check_position(checker, &volume->mkfs_extra_args, &volume->where),
			"ignored",
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
		check_claim(checker, &points, volume->mount_point, &volume->mount_point,
			&volume->where);
		check_claim(checker, &serials, volume->serial, &volume->serial, &volume->where);
		check_claim(checker, &labels, volume->label, &volume->label, &volume->where);
	}
	for (size_t i = 0; i < vm->shares.n; i++)
		check_claim(checker, &points, vm->shares.v[i].mount_point,
			&vm->shares.v[i].mount_point, &vm->shares.v[i].where);
	if (checker->storage->database)
		check_claim_derived(checker, &points, checker->storage->database->mount_point,
			&checker->storage->database->where);
	check_unique(checker, &points, "mount point");
	check_unique(checker, &serials, "serial");
	check_unique(checker, &labels, "label");
}
