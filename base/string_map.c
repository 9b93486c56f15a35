/* SPDX-License-Identifier: MIT */
#include "base/string_map.h"

#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#include "base/arena.h"

/* Returns the entry of a name, or NULL. */
static struct string_map_entry *find(const struct string_map *map, const char *text, uint64_t hash)
{
	struct table_search search = table_search(hash);
	for (size_t i; table_next(&map->table, &search, &i);)
		if (strcmp(map->entries.v[i].text, text) == 0)
			return &map->entries.v[i];
	return NULL;
}

static uint64_t hash_of(const char *text)
{
	return XXH3_64bits(text, strlen(text));
}

size_t string_map_find(const struct string_map *map, const char *text)
{
	const struct string_map_entry *entry = find(map, text, hash_of(text));
	return entry ? entry->number : SIZE_MAX;
}

void string_map_set(struct arena *arena, struct string_map *map, const char *text, size_t number)
{
	const uint64_t hash = hash_of(text);
	struct string_map_entry *entry = find(map, text, hash);
	if (entry) {
		*entry = (struct string_map_entry){text, number};
		return;
	}
	table_add(arena, &map->table, hash, map->entries.n);
	vec_push(arena, &map->entries, (struct string_map_entry){text, number});
}
