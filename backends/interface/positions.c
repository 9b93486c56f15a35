/* SPDX-License-Identifier: MIT */
#include "backends/interface/positions.h"

#include <stdint.h>

#include "backends/interface/vm.h"
#include "base/table.h"

struct place {
	const void *field;
	struct pos pos; /* without a file: has its default */
	bool refused;
};

struct places {
	struct arena *arena;
	VEC(struct place) v;
	struct table table; /* of indices of v, by field */
	bool any_refused;
};

struct places *places_new(struct arena *arena)
{
	struct places *places = arena_alloc(arena, sizeof *places);
	places->arena = arena;
	return places;
}

static uint64_t hash_of(const void *field)
{
	return ((uintptr_t)field >> 2) * UINT64_C(0x9e3779b97f4a7c15) >> 20;
}

/* Returns the place of a field, or NULL. */
static struct place *find(const struct places *places, const void *field)
{
	struct table_search search = table_search(hash_of(field));
	for (size_t i; table_next(&places->table, &search, &i);)
		if (places->v.v[i].field == field)
			return &places->v.v[i];
	return NULL;
}

/* Returns the place of a field, adding it if necessary. */
static struct place *place_of(struct places *places, const void *field)
{
	struct place *place = find(places, field);
	if (place)
		return place;
	table_add(places->arena, &places->table, hash_of(field), places->v.n);
	vec_push(places->arena, &places->v, (struct place){.field = field});
	return &places->v.v[places->v.n - 1];
}

void places_set(struct places *places, const void *field, const struct pos *pos)
{
	place_of(places, field)->pos = *pos;
}

const struct pos *places_get(const struct places *places, const void *field)
{
	const struct place *place = find(places, field);
	return place && place->pos.file ? &place->pos : NULL;
}

void places_forget(struct places *places, const void *field)
{
	struct place *place = find(places, field);
	if (place)
		place->pos = (struct pos){0};
}

void places_refuse(struct places *places, const void *field)
{
	place_of(places, field)->refused = true;
	places->any_refused = true;
}

bool places_refused(const struct places *places, const void *field)
{
	if (!field)
		return places->any_refused;
	const struct place *place = find(places, field);
	return place && place->refused;
}

bool places_refused_within(const struct places *places, const void *begin, size_t bytes)
{
	for (size_t i = 0; i < places->v.n; i++) {
		const uintptr_t at = (uintptr_t)places->v.v[i].field, from = (uintptr_t)begin;
		if (places->v.v[i].refused && at >= from && at - from < bytes)
			return true;
	}
	return false;
}

const struct pos *vm_where(const struct vm *vm, const void *field)
{
	return places_get(vm->places, field);
}

bool vm_refused(const struct vm *vm, const void *field)
{
	return places_refused(vm->places, field);
}
