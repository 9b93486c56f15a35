/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "compiler/checks.h"
#include "compiler/shape.h"
#include "imaging/ext4.h"

enum { VIRTIO_SERIAL_BYTES = 20 };

static void check_created_volume(const struct checker *checker, const struct volume *volume, size_t i)
{
	const struct pos *image_type = place(checker, &volume->image_type, &volume->where);
	if (sound(checker, &volume->size_mib) && !volume->size_mib)
		wrong(checker, &volume->where, "missing-option", "volumes[%zu].size is missing; give it, or set autoCreate: false", i);
	if (volume->size_mib && volume->size_mib < EXT4_MINIMUM_MIB)
		wrong(checker, place(checker, &volume->size_mib, &volume->where), "wrong-size", "volumes[%zu].size: ext4 needs %d MiB", i,
		      EXT4_MINIMUM_MIB);
	if (is_fs_type(volume->fs_type) && strcmp(volume->fs_type, "ext4") != 0)
		wrong(checker, place(checker, &volume->fs_type, &volume->where), "not-implemented",
		      "volumes[%zu].fsType: creating %.40s is not implemented yet; ext4 is", i, volume->fs_type);
	if (strcmp(volume->image_type, "raw") != 0)
		wrong(checker, image_type, "bad-volume", "volumes[%zu].imageType: created images are raw; set autoCreate: false for an existing %s image",
		      i, volume->image_type);
	if (volume->read_only)
		diag_warning(checker->diag, place(checker, &volume->read_only, &volume->where), "empty-volume",
			     "volumes[%zu]: created empty and read-only, so it stays empty", i);
}

static void check_image(const struct checker *checker, const struct volume *volume, size_t i)
{
	const struct pos *where = place(checker, &volume->image, &volume->where);
	if (!*volume->image || strchr(volume->image, '\n'))
		wrong(checker, where, "bad-path", "volumes[%zu].image: expected a path on one line", i);
	if (sound(checker, &volume->read_only) && !volume->read_only && is_within(volume->image, checker->vm->store_dir))
		wrong(checker, where, "bad-volume", "volumes[%zu].image: %s is in the store, which cannot be written; set readOnly: true", i,
		      volume->image);
}

static void check_serial(const struct checker *checker, const struct volume *volume, size_t i)
{
	const struct pos *where = place(checker, &volume->serial, &volume->where);
	if (strlen(volume->serial) > VIRTIO_SERIAL_BYTES || !*volume->serial || !is_made_of(volume->serial, "-_."))
		wrong(checker, where, "bad-serial", "volumes[%zu].serial: expected 1 to %d letters, digits, '-', '_' and '.'", i, VIRTIO_SERIAL_BYTES);
	else if (strncmp(volume->serial, "mvm-", 4) == 0)
		wrong(checker, where, "bad-serial", "volumes[%zu].serial: names that begin with \"mvm-\" are for the disks that mvmbuild names", i);
}

static void check_volume(const struct checker *checker, const struct volume *volume, size_t i)
{
	if (sound(checker, &volume->image))
		check_image(checker, volume, i);
	if (volume->serial)
		check_serial(checker, volume, i);
	if (volume->label && (strlen(volume->label) > 16 || !*volume->label || strpbrk(volume->label, "\n/")))
		wrong(checker, place(checker, &volume->label, &volume->where), "bad-label",
		      "volumes[%zu].label: expected 1 to 16 bytes without '/' and line breaks", i);
	if (!is_fs_type(volume->fs_type))
		wrong(checker, place(checker, &volume->fs_type, &volume->where), "bad-volume", "volumes[%zu].fsType: \"%.40s\" is no file system", i,
		      volume->fs_type);
	if (volume->mount_point)
		check_mount_point(checker, place(checker, &volume->mount_point, &volume->where), arena_printf(checker->arena, "volumes[%zu]", i),
				  volume->mount_point);
	if (sound(checker, &volume->auto_create) && volume->auto_create)
		check_created_volume(checker, volume, i);
}

void check_volumes(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	struct claims images = {0}, points = {0}, serials = {0}, labels = {0};
	for (size_t i = 0; i < vm->volumes.n; i++) {
		const struct volume *volume = &vm->volumes.v[i];
		check_volume(checker, volume, i);
		claim(checker, &images, simple_path(checker->arena, volume->image), &volume->image, &volume->where);
		claim(checker, &points, volume->mount_point, &volume->mount_point, &volume->where);
		claim(checker, &serials, volume->serial, &volume->serial, &volume->where);
		claim(checker, &labels, volume->label, &volume->label, &volume->where);
	}
	refuse_twice(checker, &images, "volume image");
	refuse_twice(checker, &points, "mount point");
	refuse_twice(checker, &serials, "serial");
	refuse_twice(checker, &labels, "label");
}
