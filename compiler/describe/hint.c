/* SPDX-License-Identifier: MIT */
#include "compiler/describe/hint.h"

#include <string.h>

#include "base/suggest.h"
#include "compiler/describe/options.h"
#include "compiler/describe/synonyms.h"

/* ---- paths ---- */

const struct option *option_first(const struct option *table, const char *path)
{
	const size_t length = strcspn(path, ".[");
	for (; table->name; table++)
		if (strlen(table->name) == length && strncmp(table->name, path, length) == 0)
			return table;
	return NULL;
}

/* The length of the number or name of an element at the start of a path: "[0]", ".0", ".web1". */
static size_t element_length(const char *path, const struct option *list)
{
	const size_t dotted = *path == '.' ? 1 + strcspn(path + 1, ".[") : 0,
		     digits = strspn(path + (*path != '\0'), "0123456789");
	if (list->kind == OPTION_MAP)
		return dotted;
	if (list->kind != OPTION_LIST)
		return 0;
	if (*path == '[')
		return path[1 + digits] == ']' ? digits + 2 : 0;
	return digits && dotted == 1 + digits ? dotted : 0;
}

const char *option_path_rest(const char *path, const struct option *first)
{
	path += strlen(first->name);
	path += element_length(path, first);
	return path + (path[0] == '.' && path[1]);
}

const struct option *option_at(const struct option *table, const char *path)
{
	for (;;) {
		const struct option *row = option_first(table, path);
		if (!row)
			return NULL;
		path = option_path_rest(path, row);
		if (!*path)
			return row;
		if (!row->sub || path[-1] != '.')
			return NULL;
		table = row->sub;
	}
}

/* Shows how an option is written: "vsock: {cid: ...}". */
static const char *example(struct arena *arena, const struct option *table, const char *path)
{
	const struct option *row = option_first(table, path);
	const char *rest = option_path_rest(path, row);
	if (!*rest)
		return arena_printf(arena, "%s: ...", row->name);
	const char *inner = example(arena, row->sub, rest);
	if (row->kind == OPTION_LIST)
		return arena_printf(arena, "%s: [{%s}]", row->name, inner);
	if (row->kind == OPTION_MAP)
		return arena_printf(arena, "%s: {NAME: {%s}}", row->name, inner);
	return arena_printf(arena, "%s: {%s}", row->name, inner);
}

/* ---- ways to find the option ---- */

/* A description may be below a key of this name; in Nix, "microvm.mem = 512;" is common. */
#define WRAPPER "microvm."

/* An option of the map with another spelling: "host_name". */
static const char *other_spelling(const struct option *table, const char *name)
{
	for (; table->name; table++)
		if (table->kind != OPTION_NONE && synonym_same_word(name, table->name))
			return table->name;
	return NULL;
}

/* Whether the table is that of a VM, not of a host file. */
static bool is_description(const struct option *top)
{
	return option_at(top, "hypervisor") != NULL;
}

/* A row of synonyms that names an option of this table, or that gives advice. */
static const struct synonym *synonym_for(const struct hint_place *place, const char *name)
{
	const struct synonym *table = is_description(place->top) ? synonyms : host_synonyms,
			     *found = synonym_find(table, place->path, name);
	return found && found->option && !option_at(place->table, found->option) ? NULL : found;
}

/* Lists the paths of the options of that name in the maps below the table. */
static void find_below(struct arena *arena, const struct option *table, const char *prefix,
	const char *name, struct strings *found)
{
	for (; table->name; table++) {
		if (*prefix && synonym_same_word(name, table->name))
			vec_push(arena, found, arena_printf(arena, "%s%s", prefix, table->name));
		if (table->sub)
			find_below(arena, table->sub,
				arena_printf(arena, "%s%s.", prefix, table->name), name, found);
	}
}

static const char *similar(struct arena *arena, const struct option *table, const char *name)
{
	struct strings names = {0};
	for (; table->name; table++)
		if (table->kind != OPTION_NONE)
			vec_push(arena, &names, table->name);
	return suggest(name, names.v, names.n);
}

static struct hint meant(struct arena *arena, const struct hint_place *place, const char *option)
{
	const char *dot = *place->path ? "." : "";
	const char *text = strchr(option, '.')
		? arena_printf(arena, "; did you mean \"%s%s%s\", as in \"%s\"?", place->path, dot,
			  option, example(arena, place->table, option))
		: arena_printf(arena, "; did you mean \"%s%s%s\"?", place->path, dot, option);
	return (struct hint){option, text};
}

static struct hint advice(const char *text)
{
	return (struct hint){NULL, text};
}

/* The option of a VM's description that a name in a host file means; NULL: none. */
static const char *described(struct arena *arena, const struct hint_place *place, const char *name)
{
	const struct synonym *synonym = synonym_find(synonyms, "", name);
	if (is_description(place->top))
		return NULL;
	if (option_at(vm_options(arena), name))
		return name;
	return synonym ? synonym->option : NULL;
}

/* An option that belongs elsewhere: above the map, or in the VM's description in a host file. */
static struct hint elsewhere(struct arena *arena, const struct hint_place *place, const char *name)
{
	const char *option = described(arena, place, name);
	if (!*place->path && option)
		return advice(arena_printf(arena,
			"; it is an option of a VM's description, as in \"vms: {web1: {config: "
			"{%s}}}\"",
			example(arena, vm_options(arena), option)));
	if (!*place->path)
		return advice("");
	const struct synonym *synonym = synonym_find(synonyms, "", name);
	if (synonym && synonym->option && option_at(place->top, synonym->option))
		return advice(
			arena_printf(arena, "; did you mean \"%s\", at the top?", synonym->option));
	if (option_at(place->top, name))
		return advice(arena_printf(
			arena, "; \"%s\" is not below \"%s\" but at the top", name, place->path));
	if (option)
		return (struct hint){"config",
			arena_printf(arena,
				"; it is an option of the VM's description, as in \"config: {%s}\"",
				example(arena, vm_options(arena), option))};
	return advice("");
}

struct hint hint_find(struct arena *arena, const struct hint_place *place, const char *name)
{
	const char *const given = name;
	struct strings below = {0};
	const struct synonym *synonym = synonym_for(place, name);
	const char *option = other_spelling(place->table, name);
	if (option)
		return meant(arena, place, option);
	if (synonym && synonym->option)
		return meant(arena, place, synonym->option);
	if (synonym)
		return advice(arena_printf(arena, "; %s", synonym->advice));
	if (!*place->path && strncmp(name, WRAPPER, strlen(WRAPPER)) == 0)
		name += strlen(WRAPPER);
	if ((strpbrk(name, ".[") || name != given) && option_at(place->table, name))
		return advice(arena_printf(
			arena, "; write it as \"%s\"", example(arena, place->table, name)));
	find_below(arena, place->table, "", name, &below);
	option = below.n == 1 ? below.v[0] : similar(arena, place->table, name);
	if (option)
		return meant(arena, place, option);
	if (below.n == 2)
		return advice(arena_printf(
			arena, "; did you mean \"%s\" or \"%s\"?", below.v[0], below.v[1]));
	return elsewhere(arena, place, name);
}

const char *hint_value(const char *path, const char *const *choices, const char *text)
{
	size_t count = 0;
	const struct synonym *synonym = synonym_find(value_synonyms, path, text);
	while (choices[count])
		count++;
	for (size_t i = 0; i < count; i++)
		if (synonym ? strcmp(synonym->option, choices[i]) == 0
			    : synonym_same_word(text, choices[i]))
			return choices[i];
	return suggest(text, choices, count);
}
