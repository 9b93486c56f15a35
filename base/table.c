/* SPDX-License-Identifier: MIT */
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { FIRST_SLOTS = 64 };

struct table_search table_search(uint64_t hash)
{
	return (struct table_search){hash, hash};
}

bool table_next(const struct table *table, struct table_search *search, size_t *number)
{
	while (table->size) {
		const struct table_slot *slot = &table->slots[search->at++ & (table->size - 1)];
		if (!slot->above)
			break;
		if (slot->hash != search->hash)
			continue;
		*number = slot->above - 1;
		return true;
	}
	return false;
}

static void slot_fill(struct table *table, struct table_slot slot)
{
	uint64_t at = slot.hash;
	while (table->slots[at & (table->size - 1)].above)
		at++;
	table->slots[at & (table->size - 1)] = slot;
}

/* The order of numbers with one hash stays: they are moved from the first free slot on. */
static void table_grow(struct arena *arena, struct table *table)
{
	const struct table old = *table;
	table->size = old.size ? old.size * 2 : FIRST_SLOTS;
	table->slots = arena ? arena_alloc(arena, table->size * sizeof *table->slots)
			     : require_memory(calloc(table->size, sizeof *table->slots));
	size_t start = 0;
	while (start < old.size && old.slots[start].above)
		start++;
	for (size_t i = 0; i < old.size; i++) {
		const struct table_slot slot = old.slots[(start + i) & (old.size - 1)];
		if (slot.above)
			slot_fill(table, slot);
	}
	if (!arena)
		free(old.slots);
}

void table_add(struct arena *arena, struct table *table, uint64_t hash, size_t number)
{
	if (table->used * 2 >= table->size)
		table_grow(arena, table);
	slot_fill(table, (struct table_slot){hash, number + 1});
	table->used++;
}

void table_replace(struct table *table, uint64_t hash, size_t from, size_t to)
{
	for (uint64_t at = hash;; at++) {
		struct table_slot *slot = &table->slots[at & (table->size - 1)];
		if (slot->hash != hash || slot->above != from + 1)
			continue;
		slot->above = to + 1;
		return;
	}
}

void table_clear(struct table *table)
{
	if (table->size)
		memset(table->slots, 0, table->size * sizeof *table->slots);
	table->used = 0;
}

void table_free(struct table *table)
{
	free(table->slots);
	*table = (struct table){0};
}
