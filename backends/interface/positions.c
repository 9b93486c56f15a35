/* SPDX-License-Identifier: MIT */
#include "backends/interface/positions.h"

#include <stdint.h>

#include "backends/interface/vm.h"

struct slot {
	const void *field; /* NULL: free */
	struct pos pos;    /* without a file: has its default */
	bool refused;
};

/* Open addressing, at most half full. */
struct places {
	struct arena *arena;
	struct slot *slots;
	size_t size, used; /* size is a power of two */
	bool any_refused;
};

struct places *places_new(struct arena *arena)
{
	struct places *places = arena_alloc(arena, sizeof *places);
	places->arena = arena;
	places->size = 256;
	places->slots = arena_alloc(arena, places->size * sizeof *places->slots);
	return places;
}

static struct slot *find(const struct places *places, const void *field)
{
	size_t at = (size_t)(((uintptr_t)field >> 2) * UINT64_C(0x9e3779b97f4a7c15) >> 20);
	for (;; at++) {
		struct slot *slot = &places->slots[at & (places->size - 1)];
		if (!slot->field || slot->field == field)
			return slot;
	}
}

static void grow(struct places *places)
{
	struct slot *old = places->slots;
	size_t size = places->size;
	places->size *= 2;
	places->slots = arena_alloc(places->arena, places->size * sizeof *places->slots);
	for (size_t i = 0; i < size; i++)
		if (old[i].field)
			*find(places, old[i].field) = old[i];
}

/* Returns the slot of a field, adding it if necessary. */
static struct slot *slot_of(struct places *places, const void *field)
{
	if (places->used * 2 >= places->size)
		grow(places);
	struct slot *slot = find(places, field);
	places->used += !slot->field;
	slot->field = field;
	return slot;
}

void places_set(struct places *places, const void *field, const struct pos *pos)
{
	slot_of(places, field)->pos = *pos;
}

const struct pos *places_get(const struct places *places, const void *field)
{
	const struct slot *slot = find(places, field);
	return slot->field && slot->pos.file ? &slot->pos : NULL;
}

void places_refuse(struct places *places, const void *field)
{
	slot_of(places, field)->refused = true;
	places->any_refused = true;
}

bool places_refused(const struct places *places, const void *field)
{
	return field ? find(places, field)->refused : places->any_refused;
}

const struct pos *vm_where(const struct vm *vm, const void *field)
{
	return places_get(vm->places, field);
}

bool vm_refused(const struct vm *vm, const void *field)
{
	return places_refused(vm->places, field);
}
