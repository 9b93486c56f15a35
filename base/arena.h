/* SPDX-License-Identifier: MIT */
/*
 * arena: memory that lives as long as one build and is freed in one go. Running out of memory ends
 * the program.
 */
#ifndef MVM_BASE_ARENA_H
#define MVM_BASE_ARENA_H

#include <stddef.h>

struct arena;

/* Returns an empty arena; the caller frees it with arena_free. */
struct arena *arena_new(void);
void arena_free(struct arena *arena);

/*
 * For memory outside of arenas: returns `p`, the result of malloc or similar; ends the program if
 * it is NULL.
 */
void *require_memory(void *p);

/* Returns zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t bytes);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t length);
/* Writes two digits for each byte. */
char *arena_hex(struct arena *arena, const void *bytes, size_t count);
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * A growable array of T in an arena: `VEC(int) v = {0}; vec_push(arena, &v, 7);`, then v.v[0..v.n).
 */
#define VEC(T) \
	struct { \
		T *v; \
		size_t n; \
		size_t capacity; \
	}
#define vec_push(arena, vec, ...) \
	do { \
		if ((vec)->n == (vec)->capacity) \
			(vec)->v = arena_grow( \
				(arena), (vec)->v, &(vec)->capacity, sizeof *(vec)->v, (vec)->n); \
		(vec)->v[(vec)->n++] = (__VA_ARGS__); \
	} while (0)
void *arena_grow(struct arena *arena, const void *old, size_t *capacity, size_t item, size_t used);

/* A list of strings, which it does not own. */
struct strings {
	const char **v;
	size_t n;
	size_t capacity;
};

void strings_add(struct arena *arena, struct strings *strings, const char *const *v, size_t n);
/* Compares two elements, for qsort and bsearch. */
int strings_compare(const void *a, const void *b);

#define countof(array) (sizeof(array) / sizeof((array)[0]))

#endif
