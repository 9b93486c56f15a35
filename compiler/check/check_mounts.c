/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/shape.h"
#include "compiler/check/check.h"
#include "compiler/storage/file_systems.h"
#include "compiler/storage/host_store.h"
#include "imaging/guest/init/steps.h"

/* Why nothing else may be mounted there; NULL if it may. */
static const char *occupied(const struct checker *checker, const char *point)
{
#define TARGET(target, type, flags) target,
	static const char *const kernel[] = {STAGE1_KERNEL_MOUNTS(TARGET)};
#undef TARGET
	for (size_t i = 0; i < countof(kernel); i++)
		if (is_within(point, kernel[i]))
			return arena_printf(checker->arena,
				"%s belongs to the kernel, and the guest does not boot without it",
				kernel[i]);
	if (strcmp(point, STAGE1_TMPFS) == 0)
		return STAGE1_TMPFS " must be empty at each boot; use a directory in it";
	if (is_within(point, STAGE1_SCRATCH))
		return STAGE1_SCRATCH " is emptied before the guest's init starts";
	return NULL;
}

void check_mount_point(
	const struct checker *checker, const struct pos *where, const char *what, const char *point)
{
	const char *store = checker->vm->store_dir;
	if (!is_plain_path(point)) /* "/", or reported */
		return;
	if (strcmp(point, store) == 0)
		check_error(checker, where, "bad-mount-point",
			"%s.mountPoint: a mount there would hide the store %s", what, store);
	else if (is_within(point, store))
		check_error(checker, where, "bad-mount-point",
			"%s.mountPoint: %s is inside the store, which is read-only", what, point);
	else if (occupied(checker, point))
		check_error(checker, where, "bad-mount-point",
			"%s.mountPoint: nothing can be mounted on %s: %s", what, point,
			occupied(checker, point));
}

/* ---- the store's writable layer ---- */

/* One without a row may have the extended attributes that an upper layer needs. */
static bool can_hold_overlay(const char *type)
{
	const struct file_system *system = file_system_find(type);
	return !system || !system->no_overlay;
}

static void check_overlay_volume(
	const struct checker *checker, const struct pos *where, const struct volume *volume)
{
	if (volume->read_only)
		check_error(checker, where, "bad-store-overlay",
			"writableStoreOverlay: the volume on %s is read-only", volume->mount_point);
	else if (!can_hold_overlay(volume->fs_type))
		check_error(checker, where, "bad-store-overlay",
			"writableStoreOverlay: the volume on %s is %.40s, which cannot hold an "
			"overlay's upper layer; use ext4",
			volume->mount_point, volume->fs_type);
	else
		return;
	diag_note(checker->diag, &volume->where, "bad-store-overlay", "the volume is defined here");
}

static bool asks_for_xattr(const struct strings *arguments)
{
	for (size_t i = 0; i < arguments->n; i++)
		if (strstr(arguments->v[i], "xattr") && !strstr(arguments->v[i], "no_xattr"))
			return true;
	return false;
}

static void check_overlay_share(
	const struct checker *checker, const struct pos *where, const struct share *share)
{
	if (share->proto == SHARE_9P)
		check_error(checker, where, "bad-store-overlay",
			"writableStoreOverlay: the share on %s is 9p, which the kernel does not "
			"accept as an upper layer; use a volume or a virtiofs share",
			share->mount_point);
	else if (share->read_only)
		check_error(checker, where, "bad-store-overlay",
			"writableStoreOverlay: the share on %s is read-only", share->mount_point);
	else if (!share->posix_acl && !asks_for_xattr(&share->extra_args) &&
		!asks_for_xattr(&checker->vm->virtiofsd.extra_args))
		check_error(checker, where, "bad-store-overlay",
			"writableStoreOverlay: the share on %s has no extended attributes, which "
			"an overlay needs; set posixAcl: true for it",
			share->mount_point);
	else
		return;
	diag_note(checker->diag, &share->where, "bad-store-overlay", "the share is defined here");
}

static const char *misplaced(const struct checker *checker, const struct store_overlay *overlay)
{
	const struct vm *vm = checker->vm;
	if (occupied(checker, vm->writable_store_overlay))
		return occupied(checker, vm->writable_store_overlay);
	if (is_within(vm->writable_store_overlay, vm->store_dir))
		return "it is inside the store that it would cover";
	if (is_within(vm->store_dir, vm->writable_store_overlay))
		return "it contains the store";
	if (is_within(overlay->lower, vm->writable_store_overlay) ||
		is_within(vm->writable_store_overlay, overlay->lower))
		return arena_printf(
			checker->arena, "the read-only store is mounted on %s", overlay->lower);
	return NULL;
}

/* No other mount may use the mount point of the read-only store. */
static void check_lower(const struct checker *checker, const struct store_overlay *overlay)
{
	const struct vm *vm = checker->vm;
	for (size_t i = 0; i < vm->volumes.n; i++)
		if (vm->volumes.v[i].mount_point &&
			strcmp(vm->volumes.v[i].mount_point, overlay->lower) == 0)
			check_error(checker,
				check_position(checker, &vm->volumes.v[i].mount_point,
					&vm->volumes.v[i].where),
				"bad-mount-point",
				"volumes[%zu].mountPoint: the read-only store below the writable "
				"one is mounted on %s",
				i, overlay->lower);
	for (size_t i = 0; i < vm->shares.n; i++)
		if (strcmp(vm->shares.v[i].mount_point, overlay->lower) == 0 &&
			(vm->store_on_disk || !share_is_store(vm, &vm->shares.v[i])))
			check_error(checker,
				check_position(checker, &vm->shares.v[i].mount_point,
					&vm->shares.v[i].where),
				"bad-mount-point",
				"shares[%zu].mountPoint: the read-only store below the writable "
				"one is mounted on %s",
				i, overlay->lower);
}

void check_store_overlay(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const struct pos *where = vm_where(vm, &vm->writable_store_overlay);
	const struct store_overlay *overlay = &checker->storage->overlay;
	/* The location of the upper layer depends on all mounts. */
	if (vm_refused(vm, NULL) || !checker->storage->writable)
		return;
	if (!shape_overlay.fits(vm->writable_store_overlay))
		return; /* reported */
	check_lower(checker, overlay);
	const char *why = misplaced(checker, overlay);
	if (why)
		check_error(checker, where, "bad-store-overlay",
			"writableStoreOverlay: \"%.80s\": %s", vm->writable_store_overlay, why);
	else if (!shape_overlay.fits(overlay->lower))
		check_error(checker, where, "bad-store-overlay",
			"writableStoreOverlay: the store's mount point \"%.80s\" must not contain "
			"spaces, ':', ',' or '\\'",
			overlay->lower);
	else if (overlay->volume)
		check_overlay_volume(checker, where, overlay->volume);
	else if (overlay->share)
		check_overlay_share(checker, where, overlay->share);
}
