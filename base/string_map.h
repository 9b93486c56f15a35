/* SPDX-License-Identifier: MIT */
/* string_map: maps names to numbers in constant time. */
#ifndef MVM_BASE_STRING_MAP_H
#define MVM_BASE_STRING_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct name {
	const char *text; /* NULL: free */
	size_t number;
};

/* Start with `struct names names = {0};`. */
struct names {
	struct name *slots;
	size_t size, used; /* size is a power of two, at most half of it used */
};

/* Returns SIZE_MAX if the name is unknown. */
size_t names_find(const struct names *names, const char *text);
/* Adds a name or changes its number; `text` must live as long as the map. */
void names_set(struct arena *arena, struct names *names, const char *text, size_t number);

#endif
