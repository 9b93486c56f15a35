/* SPDX-License-Identifier: MIT */
#include "imaging/modules/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/ending.h"
#include "base/file.h"

size_t module_name_length(const char *file)
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

/* A directory that is being read, linked to those above it. */
struct level {
	const struct level *up; /* NULL: it is the root */
	const char *path;
	dev_t device;
	ino_t inode;
};

struct walk {
	struct arena *arena;
	const char *root;
	VEC(struct module) found;
};

/* Avoids an endless walk along a link to a directory above. */
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
	struct arena *arena = walk->arena;
	struct module module = {.name = module_name_normalize(arena, file, length),
		.path = path_join(arena, level->path, file),
		.file = arena_strndup(arena, file, length + strlen(".ko"))};
	const char *inside = module.path + strlen(walk->root);
	module.inside = *inside == '/' ? inside : inside - 1;
	vec_push(arena, &walk->found, module);
}

static void walk_directory(
	struct walk *walk, const struct level *up, int parent, const char *path, const char *name);

/*
 * d_type saves a system call for each of some thousand modules. Links are followed, because Nix
 * joins packages of modules with them.
 */
static void walk_entry(
	struct walk *walk, const struct level *level, int directory, const struct dirent *entry)
{
	const char *name = entry->d_name;
	const size_t length = module_name_length(name);
	struct stat st;
	unsigned char type = entry->d_type;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	if (type != DT_REG && type != DT_DIR) {
		if (fstatat(directory, name, &st, 0) == 0)
			type = S_ISREG(st.st_mode) ? DT_REG : S_ISDIR(st.st_mode) ? DT_DIR : type;
		else
			ending_unless_absent(path_join(walk->arena, level->path, name), errno);
	}
	if (type == DT_REG && length)
		add_found(walk, level, name, length);
	else if (type == DT_DIR && !is_foreign(level, name))
		walk_directory(
			walk, level, directory, path_join(walk->arena, level->path, name), name);
}

static void walk_directory(
	struct walk *walk, const struct level *up, int parent, const char *path, const char *name)
{
	struct stat st;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const bool opened = fd >= 0 && fstat(fd, &st) == 0, above = opened && is_above(up, &st);
	DIR *stream = !opened || above ? NULL : fdopendir(fd);
	if (!stream) {
		if (!above)
			ending_unless_absent(path, errno);
		fd_close(&fd);
		return;
	}
	const struct level level = {up, path, st.st_dev, st.st_ino};
	for (const struct dirent *entry; (entry = directory_next(stream, path));)
		walk_entry(walk, &level, dirfd(stream), entry);
	closedir(stream);
}

/* Ranks files of the same name as depmod does: updates/, then the kernel's own, then others. */
static int place_rank(const struct module *module)
{
	return strncmp(module->inside, "/updates/", 9) == 0   ? 0
		: strncmp(module->inside, "/kernel/", 8) == 0 ? 1
							      : 2;
}

static int compare_modules(const void *a, const void *b)
{
	const struct module *one = a, *two = b;
	int order = strcmp(one->name, two->name);
	if (order == 0)
		order = place_rank(one) - place_rank(two);
	return order ? order : strcmp(one->path, two->path);
}

struct module *module_walk(struct arena *arena, const char *root, size_t *n)
{
	struct walk walk = {.arena = arena, .root = root};
	walk_directory(&walk, NULL, AT_FDCWD, root, root);
	struct module *modules = walk.found.v;
	if (walk.found.n)
		qsort(modules, walk.found.n, sizeof *modules, compare_modules);
	*n = 0;
	for (size_t i = 0; i < walk.found.n; i++)
		if (*n == 0 || strcmp(modules[i].name, modules[*n - 1].name) != 0)
			modules[(*n)++] = modules[i];
	return modules;
}
