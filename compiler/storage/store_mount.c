/* SPDX-License-Identifier: MIT */
#include "compiler/storage/store_mount.h"

#include <string.h>

#include "base/shape.h"

static bool is_on(const char *path, const char *mount_point, size_t *depth)
{
	size_t length = mount_point ? strlen(mount_point) : 0;
	bool is_root = length == 1;
	if (!length || !(is_root || is_within(path, mount_point)) || length < *depth)
		return false;
	*depth = length;
	return true;
}

struct storage_place storage_find(
	const struct vm *vm, const struct storage *storage, const char *path)
{
	struct storage_place found = {0};
	size_t depth = 0;
	for (size_t i = 0; i < vm->volumes.n; i++)
		if (is_on(path, vm->volumes.v[i].mount_point, &depth))
			found.volume = &vm->volumes.v[i];
	for (size_t i = 0; i < storage->shares.n; i++)
		if (is_on(path, storage->shares.v[i]->mount_point, &depth))
			found = (struct storage_place){.share = storage->shares.v[i]};
	return found;
}

/*
 * The lower layer changes with an update of the VM. The kernel allows this only if the upper layer
 * has no references to it: Documentation/filesystems/overlayfs.rst, "Changes to underlying
 * filesystems". In a share, trusted.* attributes would need a virtiofsd with CAP_SYS_ADMIN;
 * userxattr uses user.* instead and disables redirect_dir (redirect_dir=off would follow existing
 * redirects).
 */
const char *overlay_options(struct arena *arena, const char *lower, const char *upper,
	const char *work, const struct share *upper_share)
{
	return arena_printf(arena,
		"lowerdir=%s,upperdir=%s,workdir=%s,index=off,metacopy=off,xino=off,%s", lower,
		upper, work, upper_share ? "userxattr" : "redirect_dir=nofollow");
}

bool storage_is_early(const struct vm *vm, const struct storage *storage, const char *target)
{
	const char *const paths[] = {
		vm->store_dir, storage->store_target, storage->nix.dir, storage->overlay.upper};
	bool early = strcmp(target, "/") == 0;
	for (size_t i = 0; i < countof(paths) && paths[i]; i++)
		early |= is_within(paths[i], target);
	return early;
}
