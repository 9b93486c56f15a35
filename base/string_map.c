/* SPDX-License-Identifier: MIT */
#include "base/string_map.h"

#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#include "base/arena.h"

enum { FIRST_SLOTS = 64 };

/* Returns the slot of a name, or the free one where it belongs. */
static struct string_map_slot *find(const struct string_map *map, const char *text)
{
	for (size_t at = XXH3_64bits(text, strlen(text));; at++) {
		struct string_map_slot *slot = &map->slots[at & (map->size - 1)];
		if (!slot->text || strcmp(slot->text, text) == 0)
			return slot;
	}
}

static void grow(struct arena *arena, struct string_map *map)
{
	const struct string_map old = *map;
	map->size = old.size ? old.size * 2 : FIRST_SLOTS;
	map->slots = arena_alloc(arena, map->size * sizeof *map->slots);
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].text)
			*find(map, old.slots[i].text) = old.slots[i];
}

size_t string_map_find(const struct string_map *map, const char *text)
{
	const struct string_map_slot *slot = map->size ? find(map, text) : NULL;
	return slot && slot->text ? slot->number : SIZE_MAX;
}

void string_map_set(struct arena *arena, struct string_map *map, const char *text, size_t number)
{
	if (map->used * 2 >= map->size)
		grow(arena, map);
	struct string_map_slot *slot = find(map, text);
	map->used += !slot->text;
	*slot = (struct string_map_slot){text, number};
}
