/* SPDX-License-Identifier: MIT */
/* json_diff: what differs between two JSON values. */
#ifndef MVM_COMPILER_INSPECT_JSON_DIFF_H
#define MVM_COMPILER_INSPECT_JSON_DIFF_H

#include <json-c/json.h>

#include "base/arena.h"

struct json_change {
	const char *where;          /* "disks[data].file.path" */
	const char *before, *after; /* NULL: not there, or null */
};

struct json_changes {
	struct json_change *v;
	size_t n, capacity;
};

/*
 * Adds the differences, in the order of the first value. Lists of texts are compared as lists: what
 * was taken out and what was put in. Lists of maps are matched by what names their elements ("id",
 * "target", …), others by place.
 */
void json_diff(struct arena *arena, const char *where, struct json_object *before,
	struct json_object *after, struct json_changes *changes);

#endif
