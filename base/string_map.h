/* SPDX-License-Identifier: MIT */
/* string_map: maps names to numbers in constant time. */
#ifndef MVM_BASE_STRING_MAP_H
#define MVM_BASE_STRING_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/table.h"

struct string_map_entry {
	const char *text;
	size_t number;
};

/* Start with `struct string_map map = {0};`. */
struct string_map {
	VEC(struct string_map_entry) entries;
	struct table table; /* of indices of entries */
};

/* Returns SIZE_MAX if the name is unknown. */
size_t string_map_find(const struct string_map *map, const char *text);
/* Adds a name or changes its number; `text` must live as long as the map. */
void string_map_set(struct arena *arena, struct string_map *map, const char *text, size_t number);

#endif
