/* SPDX-License-Identifier: MIT */
#include "compiler/storage/host_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "compiler/storage/nix_state.h"

#define USUAL_STORE "/nix/store"
#define USUAL_STATE "/nix/var/nix"

struct strings host_store_places(struct arena *arena, const struct vm *vm)
{
	struct strings places = {0};
	vec_push(arena, &places, vm->store_dir);
	/*
	 * Through the database and its roots the host's next garbage collection decides which paths
	 * are garbage, and the host boots from profiles.
	 */
	vec_push(arena, &places, nix_state_dir(arena, vm));
	if (strcmp(vm->store_dir, USUAL_STORE) != 0)
		strings_add(arena, &places, (const char *const[]){USUAL_STORE, USUAL_STATE}, 2);
	return places;
}

bool share_is_store(const struct vm *vm, const struct share *share)
{
	return share->source && strcmp(share->source, vm->store_dir) == 0;
}

const struct share *host_store_share(const struct vm *vm)
{
	for (size_t i = 0; i < vm->shares.n; i++)
		if (share_is_store(vm, &vm->shares.v[i]))
			return &vm->shares.v[i];
	return NULL;
}

/* Whether the paths are equal, or one lies in the other. */
static bool overlap(const char *a, const char *b)
{
	return strcmp(a, "/") == 0 || strcmp(b, "/") == 0 || is_within(a, b) || is_within(b, a);
}

/*
 * The path as written, and as resolved on this machine. If it does not exist here, both are equal.
 */
struct names {
	const char *written, *real;
};

static struct names names_of(struct arena *arena, const char *path)
{
	struct names names = {.written = simple_path(arena, path)};
	char *real = realpath(path, NULL);
	names.real = real ? arena_strdup(arena, real) : names.written;
	free(real);
	return names;
}

static bool reaches(const struct names *source, const struct names *place)
{
	return overlap(source->written, place->written) || overlap(source->real, place->written) ||
		overlap(source->real, place->real);
}

/*
 * A relative path is resolved when the VM starts, where templates/runner/apart.sh checks it again.
 */
static const char *place_reached(
	struct arena *arena, const struct strings *places, const char *source)
{
	if (source[0] != '/')
		return NULL;
	const struct names names = names_of(arena, source);
	for (size_t i = 0; i < places->n; i++) {
		const struct names place = names_of(arena, places->v[i]);
		if (reaches(&names, &place))
			return places->v[i];
	}
	return NULL;
}

void host_store_protect(struct arena *arena, struct vm *vm)
{
	const struct strings places = host_store_places(arena, vm);
	for (size_t i = 0; i < vm->shares.n; i++) {
		struct share *share = &vm->shares.v[i];
		if (!share->source || vm_refused(vm, &share->source))
			continue;
		if (strcmp(simple_path(arena, share->source), simple_path(arena, vm->store_dir)) ==
			0)
			share->source = vm->store_dir;
		share->host_store = place_reached(arena, &places, share->source);
		if (share->host_store && !vm_where(vm, &share->read_only))
			share->read_only = true;
	}
}

bool is_in_store(const struct vm *vm, const char *path)
{
	size_t length = strlen(vm->store_dir);
	return strncmp(path, vm->store_dir, length) == 0 && path[length] == '/';
}
