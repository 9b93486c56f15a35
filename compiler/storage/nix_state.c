/* SPDX-License-Identifier: MIT */
#include "compiler/storage/nix_state.h"

#include <string.h>

#include "base/file.h"
#include "compiler/storage/store_mount.h"

const char *nix_state_dir(struct arena *arena, const struct vm *vm)
{
	return arena_printf(arena, "%s/var/nix", path_parent(arena, vm->store_dir));
}

const char *nix_state_lower(struct arena *arena, const struct vm *vm)
{
	return path_join(arena, path_parent(arena, vm->store_dir), ".ro-db");
}

static bool is_kept(const struct storage_place *place)
{
	return (place->volume && !place->volume->read_only) ||
		(place->share && !place->share->read_only);
}

/*
 * Finds the upper layer and the work directory of the database: with the store's, otherwise beside
 * the state that the guest keeps, otherwise in memory.
 */
static void find_layer(struct arena *arena, const struct vm *vm, const struct storage *storage,
	bool own_place, struct nix_state *state)
{
	const char *overlay = vm->writable_store_overlay;
	state->lower = nix_state_lower(arena, vm);
	state->layer = own_place ? path_join(arena, state->dir, "mvm-db")
		: overlay        ? path_join(arena, overlay, "db")
				 : path_join(arena, path_parent(arena, vm->store_dir), ".rw-db");
	state->layer_share = storage_find(vm, storage, state->layer).share;
}

struct nix_state nix_state_find(
	struct arena *arena, const struct vm *vm, const struct storage *storage)
{
	struct nix_state state = {.database = vm->nix_database, .dir = nix_state_dir(arena, vm)};
	const struct store_overlay *overlay = &storage->overlay;
	struct storage_place place = storage_find(vm, storage, path_join(arena, state.dir, "db"));
	bool own_place = is_kept(&place);
	if (!own_place && (overlay->volume || overlay->share))
		state.bound = path_join(arena, vm->writable_store_overlay, "var");
	state.kept = own_place || state.bound;
	if (state.database == NIX_DATABASE_HOST_OVERLAY)
		find_layer(arena, vm, storage, own_place, &state);
	return state;
}

const char *nix_registration_path(struct arena *arena, const struct nix_state *state)
{
	return path_join(arena, state->dir, "mvm/registration");
}
