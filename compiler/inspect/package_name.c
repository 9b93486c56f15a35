/* SPDX-License-Identifier: MIT */
#include "compiler/inspect/package_name.h"

#include <stdbool.h>
#include <string.h>

enum { HASH_PART = 32 };

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static const char *version_of(const char *name)
{
	for (const char *dash = name; (dash = strchr(dash, '-')); dash++)
		if (dash > name && dash[1] && !is_letter(dash[1]))
			return dash + 1;
	return NULL;
}

/* Returns NULL if the last word is not the name of an output. */
static const char *output_of(const char *version)
{
	static const char *const outputs[] = {"bin", "data", "debug", "dev", "devdoc", "dist",
		"doc", "info", "lib", "lib32", "lib64", "libgcc", "man", "modules", "static",
		"terminfo"};
	const char *dash = strrchr(version, '-');
	for (size_t i = 0; dash && i < countof(outputs); i++)
		if (strcmp(dash + 1, outputs[i]) == 0)
			return dash + 1;
	return NULL;
}

void package_name_parse(struct arena *arena, const char *store_name, struct package_name *out)
{
	const char *name = strlen(store_name) > HASH_PART + 1 && store_name[HASH_PART] == '-'
		? store_name + HASH_PART + 1
		: store_name;
	*out = (struct package_name){.name = name, .version = "", .output = ""};
	const char *version = version_of(name), *output = version ? output_of(version) : NULL;
	if (!version)
		return;
	out->name = arena_strndup(arena, name, (size_t)(version - name - 1));
	out->version =
		output ? arena_strndup(arena, version, (size_t)(output - version - 1)) : version;
	out->output = output ? output : "";
}
