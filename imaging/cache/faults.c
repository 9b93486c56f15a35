/* SPDX-License-Identifier: MIT */
#include "imaging/cache/faults.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { REPORTED_MAX = 8 };

struct cache_faults {
	pthread_mutex_t lock; /* guards the rest */
	struct arena *arena;
	struct strings texts;
};

struct cache_faults *cache_faults_new(void)
{
	struct cache_faults *faults = require_memory(calloc(1, sizeof *faults));
	pthread_mutex_init(&faults->lock, NULL);
	faults->arena = arena_new();
	return faults;
}

void cache_faults_free(struct cache_faults *faults)
{
	if (!faults)
		return;
	pthread_mutex_destroy(&faults->lock);
	arena_free(faults->arena);
	free(faults);
}

static const char *text_of(
	struct arena *arena, const char *what, enum object_fault fault, int error, const char *cure)
{
	if (fault == OBJECT_UNREADABLE)
		return arena_printf(
			arena, "%s cannot be read (%s): %s", what, strerror(error), cure);
	return arena_printf(arena,
		fault == OBJECT_MISPLACED ? "%s is not a regular file: %s" : "%s was damaged: %s",
		what, cure);
}

void cache_faults_add(struct cache_faults *faults, const char *path, const char *inside,
	enum object_fault fault, int error, const char *cure)
{
	pthread_mutex_lock(&faults->lock);
	const char *what = inside ? arena_printf(faults->arena, "%s: %s", path, inside) : path;
	vec_push(faults->arena, &faults->texts, text_of(faults->arena, what, fault, error, cure));
	pthread_mutex_unlock(&faults->lock);
}

void cache_faults_report(const struct cache_faults *faults, struct diag *diag)
{
	const struct strings *texts = &faults->texts;
	if (texts->n)
		qsort(texts->v, texts->n, sizeof *texts->v, strings_compare);
	for (size_t i = 0; i < texts->n && i < REPORTED_MAX; i++)
		diag_warning(diag, NULL, "damaged-cache", "%s", texts->v[i]);
	if (texts->n > REPORTED_MAX)
		diag_warning(diag, NULL, "damaged-cache",
			"%zu more cache objects are damaged or unreadable; run \"mvmbuild cache "
			"verify\" to list them",
			texts->n - REPORTED_MAX);
}
