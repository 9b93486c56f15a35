/* SPDX-License-Identifier: MIT */
#include "compiler/storage/store_mount.h"

#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "compiler/storage/host_store.h"

static const char *beside_store(struct arena *arena, const struct vm *vm, const char *name)
{
	return path_join(arena, path_parent(arena, vm->store_dir), name);
}

const char *share_default_socket(
	struct arena *arena, const struct vm *vm, const struct share *share)
{
	return arena_printf(arena, "%s-virtiofs-%s.sock", vm->host_name, share->tag);
}

/* The copy of the host's database reaches the guest in the same way as the store. */
static const struct share *database_share(struct arena *arena, const struct vm *vm)
{
	const struct share *store = host_store_share(vm);
	if (vm->nix_database != NIX_DATABASE_HOST_OVERLAY || !store)
		return NULL;
	const struct pos *where = vm_where(vm, &vm->nix_database);
	struct share *share = arena_alloc(arena, sizeof *share);
	*share = (struct share){
		.where = where ? *where : store->where,
		.tag = NIX_STATE_TAG,
		.source = NIX_STATE_COPY,
		.mount_point = nix_state_lower(arena, vm),
		.proto = store->proto,
		.security_model = store->security_model,
		.cache = store->cache,
		.read_only = true,
	};
	if (share->proto == SHARE_VIRTIOFS)
		share->socket = share_default_socket(arena, vm, share);
	return share;
}

static void list_shares(struct arena *arena, const struct vm *vm, struct storage *storage)
{
	for (size_t i = 0; i < vm->shares.n; i++)
		vec_push(arena, &storage->shares, &vm->shares.v[i]);
	storage->database = database_share(arena, vm);
	if (storage->database)
		vec_push(arena, &storage->shares, storage->database);
}

static const char *store_target(struct arena *arena, const struct vm *vm, const struct share *store)
{
	if (store && store->mount_point && strcmp(store->mount_point, vm->store_dir) != 0)
		return store->mount_point;
	return vm->writable_store_overlay ? beside_store(arena, vm, ".ro-store") : vm->store_dir;
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

static struct store_overlay store_overlay(
	struct arena *arena, const struct vm *vm, const struct storage *storage)
{
	const char *directory = vm->writable_store_overlay,
		   *upper = path_join(arena, directory, "store");
	const struct storage_place place = storage_find(vm, storage, upper);
	return (struct store_overlay){
		.lower = storage->store_target,
		.upper = upper,
		.work = path_join(arena, directory, "work"),
		.volume = place.volume,
		.share = place.share,
	};
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

void storage_derive(struct arena *arena, const struct vm *vm, struct storage *storage)
{
	*storage = (struct storage){.writable = vm->writable_store_overlay != NULL};
	list_shares(arena, vm, storage);
	storage->store = vm->store_on_disk ? NULL : host_store_share(vm);
	storage->store_target = store_target(arena, vm, storage->store);
	if (storage->writable)
		storage->overlay = store_overlay(arena, vm, storage);
	storage->nix = nix_state_find(arena, vm, storage);
}
