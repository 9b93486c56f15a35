/* SPDX-License-Identifier: MIT */
/*
 * Small objects are collected in memory, and written as a bundle when there are enough of them and
 * at the end. A build that is killed loses at most BUNDLE_BYTES of them: the next one packs them
 * again.
 */
#include "imaging/cache/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "imaging/cache/bundles.h"
#include "imaging/cache/faults.h"

enum { BUNDLE_BYTES = 1 << 20 };

/*
 * The temporary file of an object that is in memory now. The next object overwrites it, because
 * truncating a file on NFS waits for the server's disk.
 */
struct spare {
	int fd;
	char name[32];
};

struct object_cache {
	struct arena *arena;
	struct diag *diag;
	const char *where; /* the directory, or the scratch directory */
	const char *settings;
	const char *shelf_path;
	bool keeps;
	/* without a cache, its `temporary` is the scratch directory */
	struct cache_directory directory;
	VEC(struct shelf) shelves; /* our own comes first, if there is one */
	struct cache_faults *faults;
	unsigned serial;   /* of the last temporary name */
	struct spare uses; /* records the objects that this build needs */
	VEC(struct spare) spares;
	struct bundle_writer waiting;
	uint32_t day; /* of the first use of new objects */
	bool bundled, warned;
};

/* ---- opening ---- */

static void record_uses(struct object_cache *cache, const struct closure *closure)
{
	uint64_t *hashes = arena_alloc(cache->arena, (closure->n + 1) * sizeof *hashes);
	for (size_t i = 0; i < closure->n; i++) {
		const struct object_identity identity = cache_identity(cache, &closure->v[i]);
		hashes[i] = object_name_hash(&identity);
	}
	cache->uses.fd = cache_uses_write(&cache->directory, hashes, closure->n, cache->uses.name);
}

static bool open_own_shelf(struct object_cache *cache)
{
	struct shelf shelf;
	int objects = cache_directory_below(cache->diag, &cache->directory, cache->directory.top,
		cache->settings, cache->shelf_path);
	if (objects < 0)
		return false;
	const bool ok =
		shelf_open(cache->diag, cache->shelf_path, objects, cache->settings, NULL, &shelf);
	vec_push(cache->arena, &cache->shelves, shelf);
	return ok;
}

static bool open_kept(struct object_cache *cache, const struct cache_request *request)
{
	if (!cache_directory_make(cache->diag, request->directory, &cache->directory))
		return false;
	/* Without locks, a garbage collection does not see the record. */
	if (cache_lock(&cache->directory, LOCK_SH))
		record_uses(cache, request->closure);
	const bool ok = open_own_shelf(cache);
	cache_unlock(&cache->directory);
	return ok;
}

static bool open_scratch(struct object_cache *cache, const struct cache_request *request)
{
	cache->directory =
		(struct cache_directory){.path = request->scratch, .top = -1, .lock = -1};
	cache->directory.temporary = open(request->scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return cache->directory.temporary >= 0 ||
		diag_error(cache->diag, STATUS_FAILED, NULL, "unusable-cache",
			"cannot open the directory %s: %s", request->scratch, strerror(errno));
}

static bool open_foreign(struct object_cache *cache, const struct cache_sharing *sharing)
{
	bool ok = true;
	for (size_t i = 0; ok && sharing && i < sharing->n; i++) {
		struct shelf shelf;
		ok = shelf_open_foreign(cache->diag, sharing->directories[i], cache->settings,
			&sharing->owners, &shelf);
		vec_push(cache->arena, &cache->shelves, shelf);
	}
	return ok;
}

static void note_broken(const struct object_cache *cache, const struct shelf *shelf)
{
	struct arena *arena = arena_new();
	for (size_t i = 0; i < shelf->broken.n; i++)
		cache_faults_add(cache->faults,
			arena_printf(
				arena, "%s/" CACHE_BUNDLES "/%s", shelf->path, shelf->broken.v[i]),
			NULL, OBJECT_DAMAGED, 0, "the small store paths in it are packed again");
	arena_free(arena);
}

struct object_cache *cache_open(struct diag *diag, const struct cache_request *request)
{
	struct arena *arena = arena_new();
	struct object_cache *cache = arena_alloc(arena, sizeof *cache);
	*cache = (struct object_cache){.arena = arena,
		.diag = diag,
		.where = request->directory ? request->directory : request->scratch,
		.settings = request->settings,
		.keeps = request->directory,
		.directory = {.top = -1, .temporary = -1, .lock = -1},
		.uses = {.fd = -1},
		.faults = cache_faults_new()};
	cache->shelf_path = path_join(arena, cache->where, cache->settings);
	const bool ok = (cache->keeps ? open_kept(cache, request) : open_scratch(cache, request)) &&
		open_foreign(cache, request->sharing);
	/* The output of a derivation must not depend on the day. */
	cache->day = cache_is_in_nix_store(cache->where) ? 0 : bundle_today();
	for (size_t i = 0; ok && i < cache->shelves.n; i++) {
		shelf_advise(&cache->shelves.v[i], request->closure->n);
		note_broken(cache, &cache->shelves.v[i]);
	}
	if (ok)
		return cache;
	cache_close(cache);
	return NULL;
}

/* ---- small objects ---- */

/*
 * The build still succeeds; the next one just packs these store paths again. After an error, this
 * warning would only distract.
 */
static void warn_once(struct object_cache *cache)
{
	if (!cache->warned && diag_error_count(cache->diag) == 0)
		diag_warning(cache->diag, NULL, "unwritable-cache",
			"cannot keep small store paths in the cache %s: %s", cache->where,
			strerror(errno));
	cache->warned = true;
}

static void publish_waiting(struct object_cache *cache)
{
	if (cache->waiting.entries.n == 0)
		return;
	/* ENOENT: the cache was emptied meanwhile. */
	if (!bundles_publish(&cache->directory, cache->shelves.v[0].objects, cache->settings,
		    &cache->waiting) &&
		errno != ENOENT)
		warn_once(cache);
	bundle_writer_free(&cache->waiting);
	cache->waiting = (struct bundle_writer){0};
	cache->bundled = true;
}

static bool bundle_small(struct object_cache *cache, struct cache_entry *entry, const char *name,
	struct object *object)
{
	struct spare spare = {.fd = -1};
	if (!object_load(object, &spare.fd))
		return diag_error(cache->diag, STATUS_FAILED, NULL, "unreadable-file",
			"cannot read a file in %s: %s", cache->where, strerror(errno));
	memcpy(spare.name, entry->name, sizeof spare.name);
	entry->name[0] = '\0';
	vec_push(cache->arena, &cache->spares, spare);
	bundle_add(&cache->waiting, object->footer.name_hash, name, object->memory,
		(size_t)object_bytes(&object->footer), cache->day);
	if (cache->waiting.objects.n >= BUNDLE_BYTES)
		publish_waiting(cache);
	return true;
}

/* ---- closing ---- */

static void remove_temporary(struct object_cache *cache, struct spare *spare)
{
	if (spare->fd >= 0)
		unlinkat(cache->directory.temporary, spare->name, 0);
	fd_close(&spare->fd);
}

/* Copies the names, because they are used after the shelf is closed. */
static struct strings damaged_bundles(const struct object_cache *cache)
{
	struct strings names = {0};
	if (!cache->keeps || !cache->shelves.n)
		return names;
	const struct shelf *own = &cache->shelves.v[0];
	for (size_t i = 0; i < own->v.n; i++)
		if (own->v.v[i].damaged)
			vec_push(
				cache->arena, &names, arena_strdup(cache->arena, own->v.v[i].name));
	for (size_t i = 0; i < own->broken.n; i++)
		vec_push(cache->arena, &names, arena_strdup(cache->arena, own->broken.v[i]));
	return names;
}

void cache_close(struct object_cache *cache)
{
	if (!cache)
		return;
	publish_waiting(cache);
	const struct strings damaged = damaged_bundles(cache);
	remove_temporary(cache, &cache->uses);
	for (size_t i = 0; i < cache->spares.n; i++)
		remove_temporary(cache, &cache->spares.v[i]);
	for (size_t i = 0; i < cache->shelves.n; i++)
		shelf_close(&cache->shelves.v[i]);
	if (cache->bundled || damaged.n)
		bundles_tidy(&cache->directory, cache->shelf_path, cache->settings, &damaged);
	cache_directory_close(&cache->directory);
	cache_faults_report(cache->faults, cache->diag);
	cache_faults_free(cache->faults);
	arena_free(cache->arena);
}

/* ---- looking up ---- */

struct object_identity cache_identity(
	const struct object_cache *cache, const struct store_path *path)
{
	return (struct object_identity){
		.name = path->name, .settings = cache->settings, .nar_hash = path->nar_hash};
}

static void note_fault(const struct object_cache *cache, const struct shelf *shelf,
	const char *name, const struct shelf_fault *fault, bool found)
{
	struct arena *arena = arena_new();
	const char *path = fault->bundle
		? arena_printf(arena, "%s/" CACHE_BUNDLES "/%s", shelf->path, fault->bundle)
		: path_join(arena, shelf->path, name);
	cache_faults_add(cache->faults, path, fault->bundle ? name : NULL, fault->fault,
		fault->error,
		found ? "another cache has its store path" : "its store path is packed again");
	arena_free(arena);
}

bool cache_find(const struct object_cache *cache, const struct object_identity *identity,
	struct object *out)
{
	bool found = false;
	struct shelf_fault *faults = require_memory(calloc(cache->shelves.n + 1, sizeof *faults));
	size_t n = 0;
	/*
	 * On a network file system, a file that looks damaged is kept: not all of it may have
	 * reached the server yet.
	 */
	while (!found && n < cache->shelves.n) {
		found = shelf_find(
			&cache->shelves.v[n], identity, !cache->directory.remote, out, &faults[n]);
		n++;
	}
	for (size_t i = 0; i < n - found; i++)
		if (faults[i].fault != OBJECT_FAULTLESS)
			note_fault(cache, &cache->shelves.v[i], identity->name, &faults[i], found);
	free(faults);
	return found;
}

static void peek(const char *directory, const struct cache_owners *owners,
	const struct cache_request *request, int64_t *stored)
{
	struct arena *arena = arena_new();
	struct shelf shelf;
	/* The build reports a cache that cannot be used. */
	const bool ok =
		shelf_open_foreign(diag_new(arena), directory, request->settings, owners, &shelf);
	for (size_t i = 0; ok && i < request->closure->n; i++) {
		const struct store_path *path = &request->closure->v[i];
		const struct object_identity identity = {.name = path->name,
			.settings = request->settings,
			.nar_hash = path->nar_hash};
		struct object_footer footer;
		if (shelf_peek(&shelf, &identity, &footer))
			stored[i] = (int64_t)footer.data_bytes;
	}
	shelf_close(&shelf);
	arena_free(arena);
}

void cache_peek(const struct cache_request *request, int64_t *stored)
{
	const struct cache_owners nobody_else = {0};
	for (size_t i = 0; request->sharing && i < request->sharing->n; i++)
		peek(request->sharing->directories[i], &request->sharing->owners, request, stored);
	if (request->directory)
		peek(request->directory, &nobody_else, request, stored);
}

/* ---- new objects ---- */

static bool cannot_create(struct object_cache *cache, struct diag *diag)
{
	return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file",
		"cannot create a file in %s: %s", cache->where, strerror(errno));
}

bool cache_create(struct object_cache *cache, struct diag *diag, struct cache_entry *out)
{
	*out = (struct cache_entry){.fd = -1, .where = cache->where};
	if (cache->spares.n) {
		const struct spare *spare = &cache->spares.v[--cache->spares.n];
		out->fd = spare->fd;
		memcpy(out->name, spare->name, sizeof out->name);
		return true;
	}
	out->fd = cache_temporary_create(
		&cache->directory, cache->keeps ? "" : ".object-", &cache->serial, out->name);
	if (out->fd < 0)
		return cannot_create(cache, diag);
	if (!cache->keeps)
		cache_discard(cache, out);
	return true;
}

bool cache_publish(struct object_cache *cache, struct diag *diag, struct cache_entry *entry,
	const char *name, struct object *object)
{
	if (!cache->keeps)
		return true;
	if (object_bytes(&object->footer) <= BUNDLE_OBJECT_MAX)
		return bundle_small(cache, entry, name, object);
	/* ENOENT: the cache was emptied meanwhile. This build still has the file open. */
	if (!cache_rename(&cache->directory, entry->name, cache->shelves.v[0].objects, name) &&
		errno != ENOENT)
		return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file",
			"cannot add %s to the cache %s: %s", name, cache->where, strerror(errno));
	entry->name[0] = '\0';
	return true;
}

void cache_discard(struct object_cache *cache, struct cache_entry *entry)
{
	if (entry->name[0])
		unlinkat(cache->directory.temporary, entry->name, 0);
	entry->name[0] = '\0';
}
