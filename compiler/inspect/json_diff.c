/* SPDX-License-Identifier: MIT */
#include "compiler/inspect/json_diff.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * The table of the longest common subsequence grows with the product of both lengths. Lists that
 * would need more cells are reported as replaced.
 */
enum { MAX_TABLE_CELLS = 1 << 22 };

static const char *text_of(struct arena *arena, struct json_object *value)
{
	if (json_object_is_type(value, json_type_null))
		return NULL;
	if (json_object_is_type(value, json_type_string))
		return arena_strdup(arena, json_object_get_string(value));
	return arena_strdup(arena,
		json_object_to_json_string_ext(
			value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void add(struct arena *arena, struct json_changes *changes, const char *where,
	struct json_object *before, struct json_object *after)
{
	const struct json_change change = {where, text_of(arena, before), text_of(arena, after)};
	vec_push(arena, changes, change);
}

/* ---- maps ---- */

static const char *below(struct arena *arena, const char *where, const char *key)
{
	return *where ? arena_printf(arena, "%s.%s", where, key) : key;
}

static void diff_maps(struct arena *arena, const char *where, struct json_object *before,
	struct json_object *after, struct json_changes *changes)
{
	json_object_object_foreach(before, key, value)
		json_diff(arena, below(arena, where, arena_strdup(arena, key)), value,
			json_object_object_get(after, key), changes);
	json_object_object_foreach(after, new_key,
		new_value) if (!json_object_object_get_ex(before, new_key, NULL)) json_diff(arena,
		below(arena, where, arena_strdup(arena, new_key)), NULL, new_value, changes);
}

/* ---- lists of texts ---- */

struct texts {
	const char **v;
	size_t n;
};

static struct texts texts_of(struct arena *arena, struct json_object *array)
{
	struct texts texts = {.n = json_object_array_length(array)};
	texts.v = arena_alloc(arena, (texts.n + 1) * sizeof *texts.v);
	for (size_t i = 0; i < texts.n; i++) {
		const char *text = text_of(arena, json_object_array_get_idx(array, i));
		texts.v[i] = text ? text : "null";
	}
	return texts;
}

static void removed(
	struct arena *arena, struct json_changes *changes, const char *where, const char *text)
{
	vec_push(arena, changes, (struct json_change){where, text, NULL});
}

static void added(
	struct arena *arena, struct json_changes *changes, const char *where, const char *text)
{
	vec_push(arena, changes, (struct json_change){where, NULL, text});
}

/* Finds the differences by the longest common subsequence. */
static void diff_middles(struct arena *arena, const char *where, struct texts a, struct texts b,
	struct json_changes *changes)
{
	const size_t columns = b.n + 1;
	const bool table = a.n < MAX_TABLE_CELLS / columns;
	uint32_t *common = table ? arena_alloc(arena, (a.n + 1) * columns * sizeof *common) : NULL;
	for (size_t i = a.n; table && i-- > 0;)
		for (size_t j = b.n; j-- > 0;) {
			const uint32_t without_a = common[(i + 1) * columns + j],
				       without_b = common[i * columns + j + 1];
			common[i * columns + j] = strcmp(a.v[i], b.v[j]) == 0
				? common[(i + 1) * columns + j + 1] + 1
				: without_a > without_b ? without_a
							: without_b;
		}
	for (size_t i = 0, j = 0; i < a.n || j < b.n;) {
		if (table && i < a.n && j < b.n && strcmp(a.v[i], b.v[j]) == 0) {
			i++;
			j++;
		} else if (i < a.n &&
			(!table || j == b.n ||
				common[(i + 1) * columns + j] >= common[i * columns + j + 1])) {
			removed(arena, changes, where, a.v[i++]);
		} else {
			added(arena, changes, where, b.v[j++]);
		}
	}
}

static void diff_texts(struct arena *arena, const char *where, struct json_object *before,
	struct json_object *after, struct json_changes *changes)
{
	struct texts a = texts_of(arena, before), b = texts_of(arena, after);
	for (; a.n && b.n && strcmp(a.v[0], b.v[0]) == 0; a.v++, a.n--, b.v++, b.n--)
		;
	for (; a.n && b.n && strcmp(a.v[a.n - 1], b.v[b.n - 1]) == 0; a.n--, b.n--)
		;
	diff_middles(arena, where, a, b, changes);
}

/* ---- lists of maps ---- */

static bool is_map(struct json_object *value)
{
	return json_object_is_type(value, json_type_object);
}

static bool is_list_of_maps(struct json_object *array)
{
	for (size_t i = 0; i < json_object_array_length(array); i++)
		if (!is_map(json_object_array_get_idx(array, i)))
			return false;
	return true;
}

/* Returns the name of a list element, or its index if it has no name. */
static const char *name_of(struct arena *arena, struct json_object *element, size_t place)
{
	static const char *const keys[] = {"id", "target", "tag", "image", "path", "name"};
	for (size_t i = 0; i < countof(keys); i++) {
		struct json_object *name = json_object_object_get(element, keys[i]);
		if (json_object_is_type(name, json_type_string))
			return json_object_get_string(name);
	}
	return arena_printf(arena, "%zu", place);
}

static struct json_object *find_named(
	struct arena *arena, struct json_object *array, const char *name)
{
	for (size_t i = 0; i < json_object_array_length(array); i++)
		if (strcmp(name_of(arena, json_object_array_get_idx(array, i), i), name) == 0)
			return json_object_array_get_idx(array, i);
	return NULL;
}

static struct texts names_of(struct arena *arena, struct json_object *array)
{
	struct texts names = {.n = json_object_array_length(array)};
	names.v = arena_alloc(arena, (names.n + 1) * sizeof *names.v);
	for (size_t i = 0; i < names.n; i++)
		names.v[i] =
			arena_strdup(arena, name_of(arena, json_object_array_get_idx(array, i), i));
	return names;
}

/* Elements are matched by name only if all names are unique. */
static bool are_unique(const struct texts *names)
{
	for (size_t i = 0; i < names->n; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(names->v[i], names->v[j]) == 0)
				return false;
	return true;
}

static void diff_list_of_maps(struct arena *arena, const char *where, struct json_object *before,
	struct json_object *after, struct json_changes *changes)
{
	const struct texts a = names_of(arena, before), b = names_of(arena, after);
	if (!are_unique(&a) || !are_unique(&b)) {
		diff_texts(arena, where, before, after, changes);
		return;
	}
	const size_t old = changes->n;
	for (size_t i = 0; i < a.n; i++)
		json_diff(arena, arena_printf(arena, "%s[%s]", where, a.v[i]),
			json_object_array_get_idx(before, i), find_named(arena, after, a.v[i]),
			changes);
	for (size_t i = 0; i < b.n; i++)
		if (!find_named(arena, before, b.v[i]))
			json_diff(arena, arena_printf(arena, "%s[%s]", where, b.v[i]), NULL,
				json_object_array_get_idx(after, i), changes);
	/* Equal elements in a different order. */
	if (changes->n == old)
		diff_texts(arena, where, before, after, changes);
}

void json_diff(struct arena *arena, const char *where, struct json_object *before,
	struct json_object *after, struct json_changes *changes)
{
	const bool lists = json_object_is_type(before, json_type_array) &&
		json_object_is_type(after, json_type_array);
	if (json_object_equal(before, after))
		return;
	if (is_map(before) && is_map(after))
		diff_maps(arena, where, before, after, changes);
	else if (lists && is_list_of_maps(before) && is_list_of_maps(after))
		diff_list_of_maps(arena, where, before, after, changes);
	else if (lists)
		diff_texts(arena, where, before, after, changes);
	else
		add(arena, changes, where, before, after);
}
