/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/left.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "compiler/microvm/machine.h"

static int compare(const void *a, const void *b)
{
	const struct left *one = a, *other = b;
	return strverscmp(one->name, other->name);
}

static struct strings visible_files(const struct host *host, const char *directory)
{
	struct strings files = {0};
	DIR *stream = opendir(directory);
	for (struct dirent *entry; stream && (entry = directory_next(stream, directory));)
		if (entry->d_name[0] != '.')
			vec_push(host->arena, &files, arena_strdup(host->arena, entry->d_name));
	if (stream)
		closedir(stream);
	if (files.n)
		qsort(files.v, files.n, sizeof *files.v, strings_compare);
	return files;
}

struct left *left_find(const struct host *host, size_t *count)
{
	VEC(struct left) left = {0};
	DIR *stream = opendir(host->state_dir);
	for (struct dirent *entry; stream && (entry = directory_next(stream, host->state_dir));) {
		struct machine machine;
		struct left one = {.name = arena_strdup(host->arena, entry->d_name)};
		if (!is_name(one.name))
			continue;
		machine_find(host, one.name, &machine);
		one.directory = machine.directory;
		if (machine_is_vm(host, &machine) || !path_is_directory(one.directory))
			continue;
		one.files = visible_files(host, one.directory);
		if (one.files.n)
			vec_push(host->arena, &left, one);
	}
	if (stream)
		closedir(stream);
	if (left.n)
		qsort(left.v, left.n, sizeof *left.v, compare);
	*count = left.n;
	return left.v;
}
