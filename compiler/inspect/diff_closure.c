/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "compiler/inspect/diff.h"
#include "compiler/inspect/package_name.h"

struct named {
	struct package_name package;
	const struct store_path *path;
};

struct side {
	struct named *v;
	size_t n;
};

static int compare(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = strcmp(x->package.name, y->package.name);
	if (order == 0)
		order = strcmp(x->package.version, y->package.version);
	return order ? order : strcmp(x->path->path, y->path->path);
}

static struct side side_of(struct arena *arena, const struct closure *closure)
{
	struct side side = {
		arena_alloc(arena, (closure->n + 1) * sizeof(struct named)), closure->n};
	for (size_t i = 0; i < closure->n; i++) {
		side.v[i].path = &closure->v[i];
		package_name_parse(arena, closure->v[i].name, &side.v[i].package);
	}
	qsort(side.v, side.n, sizeof *side.v, compare);
	return side;
}

/* Removes the leading entries called `name` from `side` and returns them. */
static struct side take(struct side *side, const char *name)
{
	struct side taken = {side->v, 0};
	while (taken.n < side->n && strcmp(side->v[taken.n].package.name, name) == 0)
		taken.n++;
	side->v += taken.n;
	side->n -= taken.n;
	return taken;
}

static int64_t bytes_of(const struct side *side)
{
	int64_t sum = 0;
	for (size_t i = 0; i < side->n; i++)
		sum += side->v[i].path->nar_size;
	return sum;
}

static bool is_same(const struct side *a, const struct side *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const char *x = a->v[i].path->nar_hash, *y = b->v[i].path->nar_hash;
		if (strcmp(a->v[i].path->path, b->v[i].path->path) != 0 ||
			(x && y && strcmp(x, y) != 0))
			return false;
	}
	return true;
}

/* Lists each version once: all outputs of a package share one. */
static const char *versions_of(struct arena *arena, const struct side *side)
{
	BUF_CLEANUP struct buf text = {0};
	for (size_t i = 0; i < side->n; i++)
		if (i == 0 ||
			strcmp(side->v[i].package.version, side->v[i - 1].package.version) != 0)
			buf_printf(&text, "%s%s", text.n ? ", " : "", side->v[i].package.version);
	return arena_strdup(arena, buf_text(&text));
}

static void compare_package(struct arena *arena, const struct side *before,
	const struct side *after, struct closure_diff *out)
{
	const struct named *first = before->n ? before->v : after->v;
	if (is_same(before, after))
		return;
	struct package_change change = {.name = first->package.name,
		.before = versions_of(arena, before),
		.after = versions_of(arena, after),
		.size_change = bytes_of(after) - bytes_of(before)};
	change.kind = before->n == 0                       ? PACKAGE_ADDED
		: after->n == 0                            ? PACKAGE_REMOVED
		: strcmp(change.before, change.after) != 0 ? PACKAGE_VERSION
							   : PACKAGE_REBUILT;
	vec_push(arena, &out->packages, change);
}

void closure_diff(struct arena *arena, const struct closure *before, const struct closure *after,
	struct closure_diff *out)
{
	struct side a = side_of(arena, before), b = side_of(arena, after);
	*out = (struct closure_diff){
		.before = {a.n, (uint64_t)bytes_of(&a)}, .after = {b.n, (uint64_t)bytes_of(&b)}};
	while (a.n || b.n) {
		const char *name =
			a.n && (!b.n || strcmp(a.v->package.name, b.v->package.name) <= 0)
			? a.v->package.name
			: b.v->package.name;
		const struct side old = take(&a, name), new = take(&b, name);
		compare_package(arena, &old, &new, out);
	}
}
