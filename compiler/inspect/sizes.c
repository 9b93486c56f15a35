/* SPDX-License-Identifier: MIT */
#include "compiler/inspect/sizes.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/inspect/size_text.h"

static void size_add(struct size *sum, const struct size *more)
{
	sum->raw += more->raw;
	sum->stored += more->stored;
	sum->paths += more->paths;
	sum->unknown += more->unknown;
}

/* ---- each for itself ---- */

static void take_own(struct sizes *sizes, size_t i)
{
	const int64_t stored = sizes->packed->stored[i];
	sizes->paths[i].own = (struct size){.raw = (uint64_t)sizes->packed->closure.v[i].nar_size,
		.stored = stored < 0 ? 0 : (uint64_t)stored,
		.paths = 1,
		.unknown = stored < 0};
	size_add(&sizes->total, &sizes->paths[i].own);
}

/*
 * A disk that was created as one image does not record the size of each path: the remaining bytes
 * are distributed by raw size.
 */
static void estimate(struct sizes *sizes)
{
	const size_t n = sizes->packed->closure.n;
	const uint64_t disk = sizes->packed->disk_bytes - sizes->packed->tree_bytes,
		       left = disk > sizes->total.stored ? disk - sizes->total.stored : 0;
	uint64_t raw = 0;
	for (size_t i = 0; i < n; i++)
		raw += sizes->paths[i].own.unknown ? sizes->paths[i].own.raw : 0;
	sizes->total = (struct size){0};
	for (size_t i = 0; i < n; i++) {
		struct size *own = &sizes->paths[i].own;
		if (own->unknown)
			own->stored =
				raw ? (uint64_t)((double)left * (double)own->raw / (double)raw) : 0;
		own->unknown = 0;
		size_add(&sizes->total, own);
	}
	sizes->estimated = true;
}

/* ---- with others ---- */

static struct size closure_of(const struct sizes *sizes, size_t path, size_t *seen, size_t *queue)
{
	const struct closure *closure = &sizes->packed->closure;
	struct size sum = {0};
	size_t queued = 1;
	queue[0] = path;
	seen[path] = path + 1;
	for (size_t i = 0; i < queued; i++) {
		const struct store_path *here = &closure->v[queue[i]];
		size_add(&sum, &sizes->paths[queue[i]].own);
		for (size_t j = 0; j < here->nrefs; j++)
			if (seen[here->refs[j]] != path + 1) {
				seen[here->refs[j]] = path + 1;
				queue[queued++] = here->refs[j];
			}
	}
	return sum;
}

static void take_closures(struct arena *arena, struct sizes *sizes)
{
	const size_t n = sizes->packed->closure.n;
	size_t *seen = arena_alloc(arena, (n + 1) * sizeof *seen),
	       *queue = arena_alloc(arena, (n + 1) * sizeof *queue);
	for (size_t i = 0; i < n; i++)
		sizes->paths[i].closure = closure_of(sizes, i, seen, queue);
}

static void take_alone(struct sizes *sizes)
{
	const size_t n = sizes->packed->closure.n;
	for (size_t i = 0; i < n; i++)
		sizes->paths[i].alone = sizes->paths[i].own;
	for (size_t i = 0; i < n; i++) {
		const size_t path = sizes->graph.order[i], dominator = sizes->graph.dominator[path];
		if (dominator != n)
			size_add(&sizes->paths[dominator].alone, &sizes->paths[path].alone);
	}
}

struct size root_alone(const struct sizes *sizes, size_t root)
{
	const struct closure *closure = &sizes->packed->closure;
	for (size_t i = 0; i < closure->n; i++)
		for (size_t j = 0; i != root && j < closure->v[i].nrefs; j++)
			if (closure->v[i].refs[j] == root)
				return (struct size){0};
	return sizes->paths[root].alone;
}

/* ---- order ---- */

struct ranked {
	uint64_t bytes;
	size_t path; /* breaks ties: paths are sorted by name */
};

static int larger_first(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return (x->path > y->path) - (x->path < y->path);
}

static const size_t *rank(struct arena *arena, const struct sizes *sizes)
{
	const size_t n = sizes->packed->closure.n;
	const bool by_stored = sizes->packed->on_disk && sizes->total.unknown == 0;
	struct ranked *ranked = arena_alloc(arena, (n + 1) * sizeof *ranked);
	size_t *order = arena_alloc(arena, (n + 1) * sizeof *order);
	for (size_t i = 0; i < n; i++)
		ranked[i] = (struct ranked){
			by_stored ? sizes->paths[i].own.stored : sizes->paths[i].own.raw, i};
	qsort(ranked, n, sizeof *ranked, larger_first);
	for (size_t i = 0; i < n; i++)
		order[i] = ranked[i].path;
	return order;
}

void sizes_make(struct arena *arena, const struct packed *packed, struct sizes *out)
{
	*out = (struct sizes){.packed = packed,
		.paths = arena_alloc(arena, (packed->closure.n + 1) * sizeof *out->paths)};
	for (size_t i = 0; i < packed->closure.n; i++)
		take_own(out, i);
	if (packed->disk_bytes && out->total.unknown)
		estimate(out);
	out->estimated |= packed->unbuilt_plain;
	graph_make(arena, &packed->closure, packed->roots, packed->nroots, &out->graph);
	take_closures(arena, out);
	take_alone(out);
	out->by_size = rank(arena, out);
}

const char *tree_text(struct arena *arena, const struct packed *packed)
{
	return packed->tree_bytes ? arena_printf(arena, ", including a hash tree of %s",
					    size_text(arena, packed->tree_bytes))
				  : "";
}

const char *stored_text(struct arena *arena, const struct sizes *sizes, const struct size *size)
{
	if (!sizes->packed->on_disk || (size->unknown && size->unknown == size->paths))
		return "-";
	return arena_printf(arena, "%s%s%s", sizes->estimated ? "~" : "",
		size_text(arena, size->stored), size->unknown ? "+" : "");
}
