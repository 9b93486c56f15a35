/* SPDX-License-Identifier: MIT */
#include "base/string_map.h"

#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#include "base/arena.h"

enum { FIRST_SLOTS = 64 };

/* Returns the slot of a name, or the free one where it belongs. */
static struct name *find(const struct names *names, const char *text)
{
	for (size_t at = XXH3_64bits(text, strlen(text));; at++) {
		struct name *slot = &names->slots[at & (names->size - 1)];
		if (!slot->text || strcmp(slot->text, text) == 0)
			return slot;
	}
}

static void grow(struct arena *arena, struct names *names)
{
	const struct names old = *names;
	names->size = old.size ? old.size * 2 : FIRST_SLOTS;
	names->slots = arena_alloc(arena, names->size * sizeof *names->slots);
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].text)
			*find(names, old.slots[i].text) = old.slots[i];
}

size_t names_find(const struct names *names, const char *text)
{
	const struct name *slot = names->size ? find(names, text) : NULL;
	return slot && slot->text ? slot->number : SIZE_MAX;
}

void names_set(struct arena *arena, struct names *names, const char *text, size_t number)
{
	if (names->used * 2 >= names->size)
		grow(arena, names);
	struct name *slot = find(names, text);
	names->used += !slot->text;
	*slot = (struct name){text, number};
}
