/* SPDX-License-Identifier: MIT */
/* json_diff: finds the differences between two JSON values. */
#ifndef MVM_COMPILER_INSPECT_JSON_DIFF_H
#define MVM_COMPILER_INSPECT_JSON_DIFF_H

#include <json-c/json.h>

#include "base/arena.h"

struct json_change {
	const char *where;          /* "disks[data].file.path" */
	const char *before, *after; /* NULL: absent or null */
};

struct json_changes {
	struct json_change *v;
	size_t n, capacity;
};

/*
 * Adds the differences in the order of the first value. Lists of strings are compared as sequences
 * (removals and insertions). Lists of objects are matched by the member that names their elements
 * ("id", "target", …), or by index.
 */
void json_diff(struct arena *arena, const char *where, struct json_object *before,
	struct json_object *after, struct json_changes *changes);

#endif
