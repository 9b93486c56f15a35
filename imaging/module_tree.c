/* SPDX-License-Identifier: MIT */
#include "imaging/module_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiler/base/file.h"
#include "imaging/module_directory.h"

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

/* Length of a module's file name up to ".ko", 0 when it is no module. */
static size_t module_name_length(const char *file)
{
	static const char *const suffixes[] = {".ko", ".ko.gz", ".ko.xz", ".ko.zst"};
	size_t length = strlen(file);
	for (size_t i = 0; i < countof(suffixes); i++) {
		size_t suffix = strlen(suffixes[i]);
		if (length > suffix && strcmp(file + length - suffix, suffixes[i]) == 0)
			return length - suffix;
	}
	return 0;
}

/* ---- the index ---- */

/* The module's path inside the tree, with a slash before it. */
static const char *inner_path(const struct module_tree *tree, const struct module *module)
{
	const char *inside = module->path + strlen(tree->path);
	return *inside == '/' ? inside : inside - 1;
}

/* What depmod prefers when two files have the same name: updates/, then the kernel's own, then others. */
static int place_rank(const struct module_tree *tree, const struct module *module)
{
	const char *inside = inner_path(tree, module);
	return strncmp(inside, "/updates/", 9) == 0 ? 0 : strncmp(inside, "/kernel/", 8) == 0 ? 1 : 2;
}

struct indexed {
	struct module module;
	int rank;
};

static int compare_indexed(const void *a, const void *b)
{
	const struct indexed *one = a, *two = b;
	int order = strcmp(one->module.name, two->module.name);
	if (order == 0)
		order = one->rank - two->rank;
	return order ? order : strcmp(one->module.path, two->module.path);
}

/* A directory that is being read, and those above it. */
struct level {
	const struct level *up; /* NULL: it is the tree's */
	const char *path;
	dev_t device;
	ino_t inode;
};

struct walk {
	struct module_tree *tree;
	VEC(struct indexed) found;
};

/* A link to a directory above would never end. */
static bool is_above(const struct level *level, const struct stat *st)
{
	for (; level; level = level->up)
		if (level->device == st->st_dev && level->inode == st->st_ino)
			return true;
	return false;
}

/* "build" and "source" point to the kernel's source tree. */
static bool is_foreign(const struct level *level, const char *name)
{
	return !level->up && (strcmp(name, "build") == 0 || strcmp(name, "source") == 0);
}

static void add_found(struct walk *walk, const struct level *level, const char *file, size_t length)
{
	struct arena *arena = walk->tree->arena;
	struct indexed item = {.module = {.name = module_name_normalize(arena, file, length),
					  .path = path_join(arena, level->path, file),
					  .file = arena_strndup(arena, file, length + strlen(".ko"))}};
	item.rank = place_rank(walk->tree, &item.module);
	vec_push(arena, &walk->found, item);
}

static void walk_directory(struct walk *walk, const struct level *up, int parent, const char *path, const char *name);

/* Most file systems tell the type with the name: a kernel has some thousand modules. Links are followed: Nix joins packages' modules by them. */
static void walk_entry(struct walk *walk, const struct level *level, int directory, const struct dirent *entry)
{
	const char *name = entry->d_name;
	const size_t length = module_name_length(name);
	struct stat st;
	unsigned char type = entry->d_type;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	if (type != DT_REG && type != DT_DIR && fstatat(directory, name, &st, 0) == 0)
		type = S_ISREG(st.st_mode) ? DT_REG : S_ISDIR(st.st_mode) ? DT_DIR : type;
	if (type == DT_REG && length)
		add_found(walk, level, name, length);
	else if (type == DT_DIR && !is_foreign(level, name))
		walk_directory(walk, level, directory, path_join(walk->tree->arena, level->path, name), name);
}

/* What cannot be read has no modules: if they are missed, that is told. */
static void walk_directory(struct walk *walk, const struct level *up, int parent, const char *path, const char *name)
{
	struct stat st;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 || fstat(fd, &st) != 0 || is_above(up, &st) ? NULL : fdopendir(fd);
	if (!stream) {
		fd_close(&fd);
		return;
	}
	const struct level level = {up, path, st.st_dev, st.st_ino};
	for (const struct dirent *entry; (entry = readdir(stream));)
		walk_entry(walk, &level, dirfd(stream), entry);
	closedir(stream);
}

static void index_modules(struct module_tree *tree)
{
	struct arena *arena = tree->arena;
	struct walk walk = {.tree = tree};
	walk_directory(&walk, NULL, AT_FDCWD, tree->path, tree->path);
	const struct indexed *found = walk.found.v;
	if (walk.found.n)
		qsort(walk.found.v, walk.found.n, sizeof *walk.found.v, compare_indexed);
	tree->modules = arena_alloc(arena, (walk.found.n + 1) * sizeof *tree->modules);
	for (size_t i = 0; i < walk.found.n; i++)
		if (i == 0 || strcmp(found[i].module.name, found[i - 1].module.name) != 0)
			tree->modules[tree->nmodules++] = found[i].module;
}

/* A list beside the modules; false when there is none, or an error was recorded. */
static bool list_read(struct module_tree *tree, struct diag *diag, const char *name, struct bytes *out)
{
	const char *path = path_join(tree->arena, tree->path, name);
	return path_exists(path) && file_read(tree->arena, diag, path, LIST_LIMIT_BYTES, out);
}

/* modules.builtin: a line "kernel/fs/ext4/ext4.ko" for each module that is part of the kernel. */
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
			vec_push(tree->arena, &tree->builtin, module_name_normalize(tree->arena, file, length));
	}
}

/*
 * modules.builtin.modinfo: "NAME.KEY=VALUE", 0-terminated, also for parts of the kernel that cannot be modules and that modules.builtin
 * therefore does not list.
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
				 (struct alias){module_name_normalize(tree->arena, value + 1, strlen(value + 1)), name});
	}
}

/* modules.alias, written by depmod: "alias PATTERN MODULE". */
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
		struct alias alias = {module_name_normalize(tree->arena, line + 6, name - 7), module_name_normalize(tree->arena, line + name, end - name)};
		vec_push(tree->arena, &tree->aliases, alias);
	}
}

struct module_tree *module_tree_open(struct arena *arena, struct diag *diag, const char *directory, const char *version,
				     const struct pos *where)
{
	size_t errors = diag_error_count(diag);
	struct module_tree *tree = arena_alloc(arena, sizeof *tree);
	tree->arena = arena;
	tree->path = module_directory_find(arena, diag, directory, version, where);
	if (!tree->path)
		return NULL;
	index_modules(tree);
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
	return bsearch(wanted, tree->modules, tree->nmodules, sizeof *tree->modules, compare_name);
}

static bool matches(const char *pattern, const char *wanted)
{
	return fnmatch(pattern, wanted, 0) == 0;
}

bool module_tree_has_builtin(const struct module_tree *tree, const char *name_or_alias)
{
	const char *wanted = module_name_normalize(tree->arena, name_or_alias, strlen(name_or_alias));
	if (tree->builtin.n && bsearch(&wanted, tree->builtin.v, tree->builtin.n, sizeof *tree->builtin.v, strings_compare))
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

/* Algorithms are asked for by "crypto-NAME" or plain "NAME", file systems by "fs-NAME". */
static bool is_likely_place(const struct module_tree *tree, const struct module *module, const char *wanted)
{
	return strstr(inner_path(tree, module), strncmp(wanted, "fs_", 3) == 0 ? "/fs/" : "/crypto/") != NULL;
}

static void match_by_reading(struct module_tree *tree, const char *wanted, bool likely, struct module_refs *out)
{
	for (size_t i = 0; i < tree->nmodules; i++) {
		struct module *module = &tree->modules[i];
		if (is_likely_place(tree, module, wanted) != likely || module_read(tree->arena, module) != NULL)
			continue;
		for (size_t k = 0; k < module->aliases.n; k++)
			if (matches(module->aliases.v[k], wanted))
				add_unique(tree->arena, out, module);
	}
}

void module_tree_match(struct module_tree *tree, const char *alias, bool everywhere, struct module_refs *out)
{
	const char *wanted = module_name_normalize(tree->arena, alias, strlen(alias));
	for (size_t i = 0; i < tree->aliases.n; i++) {
		struct module *module =
			matches(tree->aliases.v[i].pattern, wanted) ? module_tree_find(tree, tree->aliases.v[i].module) : NULL;
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
