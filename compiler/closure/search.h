/* SPDX-License-Identifier: MIT */
/* search: reads one store path, finds the hashes of other paths in it and computes its NAR hash. */
#ifndef MVM_COMPILER_CLOSURE_SEARCH_H
#define MVM_COMPILER_CLOSURE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/meter.h"
#include "base/table.h"
#include "imaging/store/nar.h"

/* A store path whose hash is searched for. */
struct candidate {
	const char *name;
	size_t entry; /* SIZE_MAX until something refers to it */
};

struct candidates {
	VEC(struct candidate) v;
	struct table table; /* of indices of v, by hash part */
};

/* Builds the hash index; no candidate can be added afterwards. */
void candidates_index(struct arena *arena, struct candidates *candidates);
/* Returns the candidate whose hash `name` starts with, or NULL. */
struct candidate *candidates_find(const struct candidates *candidates, const char *name);

/* The result for one store path; it lives as long as the searcher. */
struct finding {
	const char *error;  /* why the path could not be read; NULL if it was read */
	const char **names; /* names of the candidates found, in the order of discovery */
	const char **where; /* the file in which each was found first */
	size_t n;
	char nar_hash[NAR_HASH_DIGITS + 1];
	uint64_t nar_size;
};

/* Each thread needs its own searcher; the candidates must not change while it searches. */
struct searcher;
/* `meter` may be NULL. */
struct searcher *searcher_new(const struct candidates *candidates, const struct meter *meter);
void searcher_free(struct searcher *searcher);
void searcher_search(struct searcher *searcher, const char *path, struct finding *out);

#endif
