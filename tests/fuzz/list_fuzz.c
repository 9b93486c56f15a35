/* SPDX-License-Identifier: MIT */
/*
 * Reads arbitrary bytes as the link list of a runner. Each path of a list that is accepted must lie
 * directly in the store directory, and the list must be written as it was read.
 */
#include <stdlib.h>
#include <string.h>

#include "compiler/linked/link_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_inside(const struct store_path *path, const char *store_dir)
{
	const size_t length = strlen(store_dir);
	if (strncmp(path->path, store_dir, length) != 0 || path->path[length] != '/' ||
		path->path + length + 1 != path->name)
		abort();
	if (!*path->name || path->name[0] == '.' || strpbrk(path->name, "/\n \\"))
		abort();
}

static bool is_normal(const char *directory)
{
	return directory[0] == '/' && !strstr(directory, "/.") && !strpbrk(directory, "\n ");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	const char *text = arena_strndup(arena, (const char *)data, size);
	struct link_list list;
	if (link_list_parse(arena, diag_new(arena), "list", text, size, &list)) {
		if (!is_normal(list.closure.store_dir))
			abort();
		for (size_t i = 0; i < list.closure.n; i++)
			must_be_inside(&list.closure.v[i], list.closure.store_dir);
		if (strcmp(link_list_text(arena, &list), text) != 0)
			abort();
	}
	arena_free(arena);
	return 0;
}
