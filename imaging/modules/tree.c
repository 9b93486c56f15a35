/* SPDX-License-Identifier: MIT */
#include "imaging/modules/tree.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "imaging/modules/directory.h"
#include "imaging/modules/walk.h"

enum { LIST_LIMIT_BYTES = 64 << 20 };

struct alias {
	const char *pattern, *module;
};
struct aliases {
	struct alias *v;
	size_t n;
	size_t capacity;
};

struct module_tree {
	struct arena *arena;
	const char *path;
	struct module *modules; /* sorted by name */
	size_t nmodules;
	bool has_alias_file;
	struct aliases aliases;         /* of modules.alias */
	struct strings builtin;         /* names, sorted */
	struct aliases builtin_aliases; /* of modules.builtin.modinfo */
};

const char *module_tree_path(const struct module_tree *tree)
{
	return tree->path;
}

/* ---- the lists beside the modules ---- */

/* Reads a list beside the modules; false if it does not exist, or with an error. */
static bool list_read(
	struct module_tree *tree, struct diag *diag, const char *name, struct bytes *out)
{
	const char *path = path_join(tree->arena, tree->path, name);
	return path_exists(path) && file_read(tree->arena, diag, path, LIST_LIMIT_BYTES, out);
}

/*
 * modules.builtin has a line "kernel/fs/ext4/ext4.ko" for each module that is part of the kernel.
 */
static void index_builtin(struct module_tree *tree, struct diag *diag)
{
	struct bytes list;
	if (!list_read(tree, diag, "modules.builtin", &list))
		return;
	for (const char *line = list.p; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *path = arena_strndup(tree->arena, line, strcspn(line, "\n"));
		const char *file = path_base(path);
		size_t length = module_name_length(file);
		if (length)
			vec_push(tree->arena, &tree->builtin,
				module_name_normalize(tree->arena, file, length));
	}
}

/*
 * modules.builtin.modinfo has 0-terminated "NAME.KEY=VALUE" items, also for parts of the kernel
 * that cannot be modules and so are not in modules.builtin.
 */
static void index_builtin_information(struct module_tree *tree, struct diag *diag)
{
	struct bytes list;
	if (!list_read(tree, diag, "modules.builtin.modinfo", &list))
		return;
	for (const char *item = list.p; item < list.p + list.n; item += strlen(item) + 1) {
		const char *value = strchr(item, '='), *dot = strchr(item, '.');
		if (!value || !dot || dot > value)
			continue;
		const char *name = module_name_normalize(tree->arena, item, (size_t)(dot - item));
		if (tree->builtin.n == 0 || strcmp(tree->builtin.v[tree->builtin.n - 1], name) != 0)
			vec_push(tree->arena, &tree->builtin, name);
		if (strncmp(dot, ".alias=", 7) == 0)
			vec_push(tree->arena, &tree->builtin_aliases,
				(struct alias){module_name_normalize(
						       tree->arena, value + 1, strlen(value + 1)),
					name});
	}
}

/* modules.alias, written by depmod, has lines "alias PATTERN MODULE". */
static void index_aliases(struct module_tree *tree, struct diag *diag)
{
	struct bytes list;
	tree->has_alias_file = list_read(tree, diag, "modules.alias", &list);
	if (!tree->has_alias_file)
		return;
	for (const char *line = list.p; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t end = strcspn(line, "\n"), name = end;
		while (name && line[name - 1] != ' ')
			name--;
		if (strncmp(line, "alias ", 6) != 0 || name <= 7)
			continue;
		struct alias alias = {module_name_normalize(tree->arena, line + 6, name - 7),
			module_name_normalize(tree->arena, line + name, end - name)};
		vec_push(tree->arena, &tree->aliases, alias);
	}
}

struct module_tree *module_tree_open(struct arena *arena, struct diag *diag, const char *directory,
	const char *version, const struct pos *where)
{
	size_t errors = diag_error_count(diag);
	struct module_tree *tree = arena_alloc(arena, sizeof *tree);
	tree->arena = arena;
	tree->path = module_directory_find(arena, diag, directory, version, where);
	if (!tree->path)
		return NULL;
	tree->modules = module_walk(arena, tree->path, &tree->nmodules);
	index_builtin(tree, diag);
	index_builtin_information(tree, diag);
	if (tree->builtin.n)
		qsort(tree->builtin.v, tree->builtin.n, sizeof *tree->builtin.v, strings_compare);
	index_aliases(tree, diag);
	return diag_error_count(diag) == errors ? tree : NULL;
}

/* ---- look-ups ---- */

static int compare_name(const void *name, const void *module)
{
	return strcmp(name, ((const struct module *)module)->name);
}

struct module *module_tree_find(struct module_tree *tree, const char *name)
{
	const char *wanted = module_name_normalize(tree->arena, name, strlen(name));
	return tree->nmodules == 0 ? NULL
				   : bsearch(wanted, tree->modules, tree->nmodules,
					     sizeof *tree->modules, compare_name);
}

static bool matches(const char *pattern, const char *wanted)
{
	return fnmatch(pattern, wanted, 0) == 0;
}

bool module_tree_has_builtin(const struct module_tree *tree, const char *name_or_alias)
{
	const char *wanted =
		module_name_normalize(tree->arena, name_or_alias, strlen(name_or_alias));
	if (tree->builtin.n &&
		bsearch(&wanted, tree->builtin.v, tree->builtin.n, sizeof *tree->builtin.v,
			strings_compare))
		return true;
	for (size_t i = 0; i < tree->builtin_aliases.n; i++)
		if (matches(tree->builtin_aliases.v[i].pattern, wanted))
			return true;
	return false;
}

static void add_unique(struct arena *arena, struct module_refs *list, struct module *module)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i] == module)
			return;
	vec_push(arena, list, module);
}

static int compare_refs(const void *a, const void *b)
{
	return strcmp((*(struct module *const *)a)->path, (*(struct module *const *)b)->path);
}

/* Algorithms are requested by "crypto-NAME" or plain "NAME", file systems by "fs-NAME". */
static bool is_likely_place(const struct module *module, const char *wanted)
{
	return strstr(module->inside, strncmp(wanted, "fs_", 3) == 0 ? "/fs/" : "/crypto/") != NULL;
}

static void match_by_reading(
	struct module_tree *tree, const char *wanted, bool likely, struct module_refs *out)
{
	for (size_t i = 0; i < tree->nmodules; i++) {
		struct module *module = &tree->modules[i];
		if (is_likely_place(module, wanted) != likely ||
			module_read(tree->arena, module) != NULL)
			continue;
		for (size_t k = 0; k < module->aliases.n; k++)
			if (matches(module->aliases.v[k], wanted))
				add_unique(tree->arena, out, module);
	}
}

void module_tree_match(
	struct module_tree *tree, const char *alias, bool everywhere, struct module_refs *out)
{
	const char *wanted = module_name_normalize(tree->arena, alias, strlen(alias));
	for (size_t i = 0; i < tree->aliases.n; i++) {
		struct module *module = matches(tree->aliases.v[i].pattern, wanted)
			? module_tree_find(tree, tree->aliases.v[i].module)
			: NULL;
		if (module)
			add_unique(tree->arena, out, module);
	}
	if (!tree->has_alias_file)
		match_by_reading(tree, wanted, true, out);
	if (!tree->has_alias_file && everywhere && out->n == 0)
		match_by_reading(tree, wanted, false, out);
	if (out->n)
		qsort(out->v, out->n, sizeof *out->v, compare_refs);
}
