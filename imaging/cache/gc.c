/* SPDX-License-Identifier: MIT */
#include "imaging/cache/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "imaging/cache/bundles.h"
#include "imaging/cache/scan.h"

struct gc {
	const struct cache_gc_request *request;
	struct cache_gc_result *result;
	struct diag *diag;
	struct cache_directory directory;
	struct cache_scan scan;
	struct cache_uses uses;
	bool *is_removed;        /* of each object: whether it is removed */
	size_t shelf;            /* the one being cleaned */
	bool **entry_is_removed; /* of each entry of each of its bundles */
	bool *bundle_is_changed; /* of each of its bundles: whether any entry is removed */
};

static int use_compare(const void *a, const void *b)
{
	const struct cache_object *x = *(struct cache_object *const *)a,
				  *y = *(struct cache_object *const *)b;
	if (x->used != y->used)
		return x->used < y->used ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Sorts the least recently used first. */
static struct cache_object *const *by_use(struct gc *gc)
{
	const size_t n = gc->scan.objects.n;
	struct cache_object **order = arena_alloc(gc->scan.arena, (n + 1) * sizeof *order);
	for (size_t i = 0; i < n; i++)
		order[i] = &gc->scan.objects.v[i];
	qsort(order, n, sizeof *order, use_compare);
	return order;
}

static void count(struct cache_amount *amount, const struct cache_object *object)
{
	amount->objects++;
	amount->bytes += object->bytes;
}

static void choose(struct gc *gc)
{
	const struct cache_gc_request *request = gc->request;
	struct cache_gc_result *result = gc->result;
	struct cache_object *const *order = by_use(gc);
	const int64_t now = time(NULL);
	uint64_t total = 0;
	gc->is_removed =
		arena_alloc(gc->scan.arena, (gc->scan.objects.n + 1) * sizeof *gc->is_removed);
	for (size_t i = 0; i < gc->scan.objects.n; i++)
		total += order[i]->bytes;
	for (size_t i = 0; i < gc->scan.objects.n; i++) {
		const struct cache_object *object = order[i];
		const bool old = request->max_age_seconds >= 0 &&
			object->used + CACHE_USE_SECONDS < now - request->max_age_seconds;
		const bool unwanted = old || total > request->max_bytes,
			   needed = cache_uses_has(&gc->uses, object->name_hash);
		if (unwanted && needed)
			count(&result->needed, object);
		if (unwanted && !needed)
			total -= object->bytes;
		gc->is_removed[object - gc->scan.objects.v] = unwanted && !needed;
		count(unwanted && !needed ? &result->freed : &result->left, object);
	}
}

static bool cannot_write(struct gc *gc, const char *what)
{
	return diag_error(gc->diag, STATUS_FAILED, NULL, "unwritable-cache", "cannot change %s: %s",
		what, strerror(errno));
}

static bool is_chosen(void *context, size_t bundle)
{
	const struct gc *gc = context;
	return gc->bundle_is_changed[bundle];
}

static bool keeps(void *context, size_t bundle, size_t entry)
{
	const struct gc *gc = context;
	return !gc->entry_is_removed[bundle][entry];
}

static void mark_bundles(struct gc *gc, const struct cache_shelf *shelf)
{
	struct arena *arena = gc->scan.arena;
	const size_t n = shelf->shelf.v.n;
	gc->bundle_is_changed = arena_alloc(arena, (n + 1) * sizeof *gc->bundle_is_changed);
	gc->entry_is_removed = arena_alloc(arena, (n + 1) * sizeof *gc->entry_is_removed);
	for (size_t b = 0; b < n; b++)
		gc->entry_is_removed[b] =
			arena_alloc(arena, (size_t)shelf->shelf.v.v[b].header.count + 1);
	for (size_t i = 0; i < gc->scan.objects.n; i++) {
		const struct cache_object *object = &gc->scan.objects.v[i];
		if (object->shelf == gc->shelf && object->bundle != SIZE_MAX && gc->is_removed[i])
			gc->entry_is_removed[object->bundle][object->entry] =
				gc->bundle_is_changed[object->bundle] = true;
	}
}

static bool free_shelf(struct gc *gc, const struct cache_shelf *shelf)
{
	for (size_t i = 0; i < gc->scan.objects.n; i++) {
		const struct cache_object *object = &gc->scan.objects.v[i];
		if (object->shelf == gc->shelf && object->bundle == SIZE_MAX && gc->is_removed[i] &&
			unlinkat(shelf->shelf.objects, object->name, 0) != 0 && errno != ENOENT)
			return cannot_write(gc, shelf->path);
	}
	mark_bundles(gc, shelf);
	const struct bundles_merge merge = {&gc->directory, &shelf->shelf, is_chosen, keeps, gc};
	if (!bundles_merge(&merge))
		return cannot_write(gc, shelf->path);
	bundles_tidy_locked(
		&gc->directory, shelf->path, shelf->settings, &(const struct strings){0});
	/*
	 * A build that has this directory open would lose what it publishes there. Otherwise an
	 * empty directory serves no purpose.
	 */
	if (gc->uses.n == 0) {
		unlinkat(shelf->shelf.objects, CACHE_BUNDLES, AT_REMOVEDIR);
		unlinkat(gc->directory.top, shelf->settings, AT_REMOVEDIR);
	}
	return true;
}

static bool run(struct gc *gc, struct arena *arena)
{
	cache_lock(&gc->directory, LOCK_EX);
	cache_uses_read(&gc->directory, &gc->uses);
	bool ok = cache_scan(arena, gc->diag, gc->request->path, &gc->scan);
	if (ok)
		choose(gc);
	for (gc->shelf = 0; ok && !gc->request->dry_run && gc->shelf < gc->scan.shelves.n;
		gc->shelf++)
		ok = free_shelf(gc, &gc->scan.shelves.v[gc->shelf]);
	gc->result->unknown = gc->scan.unknown;
	cache_scan_end(&gc->scan);
	cache_unlock(&gc->directory);
	free(gc->uses.v);
	return ok;
}

bool cache_gc(struct arena *arena, struct diag *diag, const struct cache_gc_request *request,
	struct cache_gc_result *result)
{
	struct gc gc = {.request = request, .result = result, .diag = diag};
	*result = (struct cache_gc_result){0};
	if (!cache_check_kind(arena, diag, request->path))
		return false;
	const bool ok = cache_directory_open(diag, request->path, &gc.directory) && run(&gc, arena);
	cache_directory_close(&gc.directory);
	return ok;
}
