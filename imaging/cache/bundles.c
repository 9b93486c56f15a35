/* SPDX-License-Identifier: MIT */
#include "imaging/cache/bundles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"

enum {
	MANY = 8,               /* more small bundles than this are merged */
	LARGE = BUNDLE_MAX / 2, /* bytes; smaller bundles are small */
};

static int open_bundles(const struct cache_directory *directory, int objects)
{
	int fd = -1;
	for (int tries = 0; fd < 0 && tries < 2; tries++) {
		mkdirat(objects, CACHE_BUNDLES, 0700 | directory->share);
		fd = openat(
			objects, CACHE_BUNDLES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 &&
			((errno != ENOTDIR && errno != ELOOP) ||
				!cache_make_way(objects, CACHE_BUNDLES)))
			break;
	}
	return fd;
}

bool bundles_publish(const struct cache_directory *directory, int objects, const char *settings,
	struct bundle_writer *writer)
{
	char temporary[32], name[24];
	unsigned serial = 0;
	if (writer->entries.n == 0)
		return true;
	FD_CLEANUP int bundles = open_bundles(directory, objects);
	FD_CLEANUP int fd =
		bundles < 0 ? -1 : cache_temporary_create(directory, "bundle-", &serial, temporary);
	if (fd < 0)
		return false;
	const bool ok = bundle_write(writer, settings, fd, name) &&
		cache_rename(directory, temporary, bundles, name);
	const int error = errno;
	if (!ok)
		unlinkat(directory->temporary, temporary, 0);
	bundle_writer_free(writer);
	*writer = (struct bundle_writer){0};
	errno = error;
	return ok;
}

/* ---- merging ---- */

/* An object in a bundle. */
struct place {
	uint64_t name_hash, footer_hash;
	uint32_t day;
	size_t bundle, entry;
};

struct places {
	struct place *v;
	size_t n;
};

/* Sorts duplicates side by side, the most recently used one first. */
static int place_compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	if (x->name_hash != y->name_hash)
		return x->name_hash < y->name_hash ? -1 : 1;
	if (x->footer_hash != y->footer_hash)
		return x->footer_hash < y->footer_hash ? -1 : 1;
	return x->day > y->day ? -1 : x->day < y->day;
}

static struct places collect(const struct bundles_merge *merge)
{
	struct places places = {0};
	size_t count = 1;
	for (size_t b = 0; b < merge->shelf->v.n; b++)
		count += (size_t)merge->shelf->v.v[b].header.count;
	places.v = require_memory(malloc(count * sizeof *places.v));
	for (size_t b = 0; b < merge->shelf->v.n; b++) {
		const struct bundle *bundle = &merge->shelf->v.v[b];
		for (size_t e = 0; merge->is_chosen(merge->context, b) && e < bundle->header.count;
			e++)
			if (!merge->keeps || merge->keeps(merge->context, b, e))
				places.v[places.n++] = (struct place){bundle->entries[e].name_hash,
					bundle->entries[e].footer_hash, bundle->days[e], b, e};
	}
	qsort(places.v, places.n, sizeof *places.v, place_compare);
	return places;
}

static bool is_same(const struct place *a, const struct place *b)
{
	return a->name_hash == b->name_hash && a->footer_hash == b->footer_hash;
}

static bool publish_all(
	const struct bundles_merge *merge, const struct places *places, char *const *names)
{
	struct bundle_writer writer = {0};
	const struct shelf *shelf = merge->shelf;
	const struct place *last = NULL;
	bool ok = true;
	for (size_t i = 0; ok && i < places->n; i++) {
		const struct place *p = &places->v[i];
		const struct bundle *bundle = &shelf->v.v[p->bundle];
		if ((last && is_same(last, p)) || !names[p->bundle] ||
			!bundle_is_sound(bundle, p->entry, shelf->settings, names[p->bundle]))
			continue;
		last = p;
		ok = bundle_copy(&writer, bundle, p->entry, names[p->bundle]);
		if (ok && writer.objects.n > BUNDLE_MAX - BUNDLE_OBJECT_MAX)
			ok = bundles_publish(
				merge->directory, shelf->objects, shelf->settings, &writer);
	}
	ok = ok && bundles_publish(merge->directory, shelf->objects, shelf->settings, &writer);
	const int error = errno;
	bundle_writer_free(&writer);
	errno = error;
	return ok;
}

/* A new bundle with the same objects as an old one also has its name, and has replaced it. */
static void remove_old(const struct bundles_merge *merge)
{
	const struct shelf *shelf = merge->shelf;
	for (size_t b = 0; b < shelf->v.n; b++) {
		struct stat old, now;
		const struct bundle *bundle = &shelf->v.v[b];
		if (merge->is_chosen(merge->context, b) && fstat(bundle->fd, &old) == 0 &&
			fstatat(shelf->bundles, bundle->name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
			now.st_ino == old.st_ino)
			unlinkat(shelf->bundles, bundle->name, 0);
	}
}

bool bundles_merge(const struct bundles_merge *merge)
{
	const struct shelf *shelf = merge->shelf;
	const struct places places = collect(merge);
	char **names = require_memory(calloc(shelf->v.n + 1, sizeof *names));
	for (size_t b = 0; b < shelf->v.n; b++)
		names[b] = bundle_names(&shelf->v.v[b]);
	const bool ok = publish_all(merge, &places, names);
	if (ok)
		remove_old(merge);
	for (size_t b = 0; b < shelf->v.n; b++)
		free(names[b]);
	free(names);
	free(places.v);
	return ok;
}

/* Chooses the bundles to merge: small ones if there are many, and damaged ones. */
struct tidying {
	const struct shelf *shelf;
	const struct strings *damaged;
	bool many;
};

static bool is_small(const struct bundle *bundle)
{
	return bundle->header.entries < LARGE;
}

static bool is_untidy(void *context, size_t index)
{
	const struct tidying *tidying = context;
	const struct bundle *bundle = &tidying->shelf->v.v[index];
	bool chosen = tidying->many && is_small(bundle);
	for (size_t i = 0; i < tidying->damaged->n; i++)
		chosen |= strcmp(tidying->damaged->v[i], bundle->name) == 0;
	return chosen;
}

static void tidy(const struct cache_directory *directory, const struct shelf *shelf,
	const struct strings *damaged)
{
	size_t small = 0;
	for (size_t b = 0; b < shelf->v.n; b++)
		small += is_small(&shelf->v.v[b]);
	struct tidying tidying = {shelf, damaged, small > MANY};
	if (tidying.many || damaged->n)
		bundles_merge(&(struct bundles_merge){directory, shelf, is_untidy, NULL, &tidying});
	/* On a network file system a bundle may only look broken until all of it has arrived. */
	for (size_t i = 0; !directory->remote && i < shelf->broken.n; i++)
		cache_remove(shelf->bundles, shelf->broken.v[i]);
}

void bundles_tidy_locked(const struct cache_directory *directory, const char *path,
	const char *settings, const struct strings *damaged)
{
	struct shelf shelf;
	struct arena *arena = arena_new();
	int objects =
		openat(directory->top, settings, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Failure is harmless: the next build merges them; extra bundles only slow lookups. */
	if (shelf_open(diag_new(arena), path, objects, settings, NULL, &shelf))
		tidy(directory, &shelf, damaged);
	shelf_close(&shelf);
	arena_free(arena);
}

void bundles_tidy(const struct cache_directory *directory, const char *path, const char *settings,
	const struct strings *damaged)
{
	if (!cache_lock(directory, LOCK_EX | LOCK_NB))
		return;
	bundles_tidy_locked(directory, path, settings, damaged);
	cache_unlock(directory);
}
