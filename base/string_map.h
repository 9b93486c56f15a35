/* SPDX-License-Identifier: MIT */
/* string_map: maps names to numbers in constant time. */
#ifndef MVM_BASE_STRING_MAP_H
#define MVM_BASE_STRING_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct string_map_slot {
	const char *text; /* NULL: free */
	size_t number;
};

/* Start with `struct string_map map = {0};`. */
struct string_map {
	struct string_map_slot *slots;
	size_t size, used; /* size is a power of two, at most half of it used */
};

/* Returns SIZE_MAX if the name is unknown. */
size_t string_map_find(const struct string_map *map, const char *text);
/* Adds a name or changes its number; `text` must live as long as the map. */
void string_map_set(struct arena *arena, struct string_map *map, const char *text, size_t number);

#endif
