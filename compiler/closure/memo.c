/* SPDX-License-Identifier: MIT */
#include "compiler/closure/memo.h"

#include <pthread.h>

#include "base/string_map.h"

struct known {
	struct finding finding;
	bool searched;
};

struct closure_memo {
	pthread_mutex_t lock;
	struct arena *arena;
	struct string_map paths; /* path to its index in `known` */
	VEC(struct known) known;
};

struct closure_memo *closure_memo_new(void)
{
	struct arena *arena = arena_new();
	struct closure_memo *memo = arena_alloc(arena, sizeof *memo);
	memo->arena = arena;
	pthread_mutex_init(&memo->lock, NULL);
	return memo;
}

void closure_memo_free(struct closure_memo *memo)
{
	pthread_mutex_destroy(&memo->lock);
	arena_free(memo->arena);
}

static bool find(
	const struct closure_memo *memo, const char *path, bool searched, struct finding *out)
{
	const size_t number = string_map_find(&memo->paths, path);
	if (number == SIZE_MAX || (searched && !memo->known.v[number].searched))
		return false;
	*out = memo->known.v[number].finding;
	return true;
}

bool closure_memo_find(
	struct closure_memo *memo, const char *path, bool searched, struct finding *out)
{
	pthread_mutex_lock(&memo->lock);
	const bool found = find(memo, path, searched, out);
	pthread_mutex_unlock(&memo->lock);
	return found;
}

static const char **copy(struct arena *arena, const char *const *v, size_t n)
{
	const char **copied = arena_alloc(arena, (n + 1) * sizeof *copied);
	for (size_t i = 0; i < n; i++)
		copied[i] = arena_strdup(arena, v[i]);
	return copied;
}

void closure_memo_add(
	struct closure_memo *memo, const char *path, bool searched, const struct finding *finding)
{
	struct known known = {*finding, searched};
	pthread_mutex_lock(&memo->lock);
	if (!find(memo, path, searched, &known.finding)) {
		known.finding.names = copy(memo->arena, finding->names, finding->n);
		known.finding.where = copy(memo->arena, finding->where, finding->n);
		string_map_set(
			memo->arena, &memo->paths, arena_strdup(memo->arena, path), memo->known.n);
		vec_push(memo->arena, &memo->known, known);
	}
	pthread_mutex_unlock(&memo->lock);
}
