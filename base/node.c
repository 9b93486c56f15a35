/* SPDX-License-Identifier: MIT */
#include "base/node.h"

#include <stdint.h>
#include <string.h>

#include "base/string_map.h"

/* A map of this size gets an index; in a smaller one a linear search is as fast. */
enum { INDEXED_ENTRIES = 16 };

struct node *node_new(struct arena *arena, enum node_kind kind, const struct pos *pos)
{
	struct node *node = arena_alloc(arena, sizeof *node);
	node->kind = kind;
	node->pos = *pos;
	node->weight = 1;
	return node;
}

struct entry *node_find(const struct node *map, const char *key)
{
	if (map->index) {
		size_t at = string_map_find(map->index, key);
		return at == SIZE_MAX ? NULL : &map->entries.v[at];
	}
	for (size_t i = 0; i < map->entries.n; i++)
		if (strcmp(map->entries.v[i].key, key) == 0)
			return &map->entries.v[i];
	return NULL;
}

struct node *node_get(const struct node *map, const char *key)
{
	const struct entry *entry = node_find(map, key);
	return entry ? entry->value : NULL;
}

static void index_entries(struct arena *arena, struct node *map)
{
	map->index = arena_alloc(arena, sizeof *map->index);
	for (size_t i = 0; i < map->entries.n; i++)
		string_map_set(arena, map->index, map->entries.v[i].key, i);
}

void node_add(struct arena *arena, struct node *map, const struct entry *entry)
{
	vec_push(arena, &map->entries, *entry);
	if (map->index)
		string_map_set(arena, map->index, entry->key, map->entries.n - 1);
	else if (map->entries.n == INDEXED_ENTRIES)
		index_entries(arena, map);
}

void node_set(struct arena *arena, struct node *map, const struct entry *entry)
{
	struct entry *there = node_find(map, entry->key);
	if (there)
		*there = *entry;
	else
		node_add(arena, map, entry);
}

struct node *node_copy(struct arena *arena, const struct node *node)
{
	struct node *copy = node_new(arena, node->kind, &node->pos);
	copy->text = node->text;
	copy->quoted = node->quoted;
	for (size_t i = 0; i < node->items.n; i++)
		vec_push(arena, &copy->items, node->items.v[i]);
	for (size_t i = 0; i < node->entries.n; i++)
		node_add(arena, copy, &node->entries.v[i]);
	return copy;
}

struct node *node_merge(struct arena *arena, struct node *base, struct node *over)
{
	if (!base || base->kind != NODE_MAP || over->kind != NODE_MAP)
		return over;
	struct node *merged = node_copy(arena, base);
	merged->pos = over->pos;
	for (size_t i = 0; i < over->entries.n; i++) {
		const struct entry *entry = &over->entries.v[i];
		struct node *value = node_merge(arena, node_get(base, entry->key), entry->value);
		node_set(arena, merged, &(struct entry){entry->key, entry->key_pos, value});
	}
	return merged;
}

bool node_is_null(const struct node *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	if (node->kind != NODE_SCALAR || node->quoted)
		return false;
	for (size_t i = 0; i < countof(nulls); i++)
		if (strcmp(node->text, nulls[i]) == 0)
			return true;
	return false;
}
