/* SPDX-License-Identifier: MIT */
/* search: reads one store path: which others' hashes are in it, and what the hash of its NAR is. */
#ifndef MVM_COMPILER_CLOSURE_SEARCH_H
#define MVM_COMPILER_CLOSURE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "imaging/store/nar.h"

/* A path that can be found. */
struct candidate {
	const char *name;
	size_t entry; /* SIZE_MAX while nobody has spoken of it */
};

struct candidates {
	VEC(struct candidate) v;
	size_t *slots; /* by hash; index + 1 */
	size_t nslots; /* a power of 2 */
};

/* Makes all of them known by their hashes; none can be added after. */
void candidates_index(struct arena *arena, struct candidates *candidates);
/* The one whose hash a name begins with; NULL when there is none. */
struct candidate *candidates_find(const struct candidates *candidates, const char *name);

/* What is in one store path; it lives as long as the searcher. */
struct finding {
	const char *error;  /* why it could not be read; NULL: it was */
	const char **names; /* of candidates, as they came */
	const char **where; /* in which file each was found first */
	size_t n;
	char nar_hash[NAR_HASH_DIGITS + 1];
	uint64_t nar_size;
};

/* One for each thread; the candidates do not change while it searches. */
struct searcher;
struct searcher *searcher_new(const struct candidates *candidates);
void searcher_free(struct searcher *searcher);
void searcher_search(struct searcher *searcher, const char *path, struct finding *out);

#endif
