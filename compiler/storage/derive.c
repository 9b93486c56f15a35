/* SPDX-License-Identifier: MIT */
#include "compiler/storage/derive.h"

#include <string.h>

#include "backends/interface/parts.h"
#include "base/file.h"
#include "compiler/storage/host_store.h"
#include "compiler/storage/storage.h"

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
	if (share_has_daemon(share))
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
	if (vm->rootfs)
		return ROOT_LOWER;
	if (store && store->mount_point && strcmp(store->mount_point, vm->store_dir) != 0)
		return store->mount_point;
	return vm->writable_store_overlay ? beside_store(arena, vm, ".ro-store") : vm->store_dir;
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
