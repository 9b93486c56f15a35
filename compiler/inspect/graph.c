/* SPDX-License-Identifier: MIT */
/*
 * graph: shortest chains by breadth-first search, dominators by the iterative algorithm of Cooper,
 * Harvey and Kennedy ("A Simple, Fast Dominance Algorithm"). It needs one pass on an acyclic graph,
 * and store paths form no cycles except references to themselves.
 */
#include "compiler/inspect/graph.h"

#include <stdint.h>

#define UNKNOWN SIZE_MAX

struct maker {
	struct arena *arena;
	const struct closure *closure;
	size_t n; /* number of paths, and the index of the node above the roots */
	VEC(size_t) roots;
	size_t *referrer;      /* UNKNOWN: not reached yet */
	size_t *queue, queued; /* of the breadth-first search */
};

static size_t *numbers(struct arena *arena, size_t n, size_t value)
{
	size_t *v = arena_alloc(arena, (n + 1) * sizeof *v);
	for (size_t i = 0; i <= n; i++)
		v[i] = value;
	return v;
}

/* ---- chains ---- */

static void reach(struct maker *maker, size_t path, size_t referrer)
{
	if (maker->referrer[path] != UNKNOWN)
		return;
	maker->referrer[path] = referrer;
	maker->queue[maker->queued++] = path;
}

static void add_root(struct maker *maker, size_t root)
{
	if (maker->referrer[root] != UNKNOWN)
		return;
	reach(maker, root, maker->n);
	vec_push(maker->arena, &maker->roots, root);
}

/* Follows the references of the queued paths, starting at position `at`. */
static void follow(struct maker *maker, size_t at)
{
	for (; at < maker->queued; at++) {
		const struct store_path *path = &maker->closure->v[maker->queue[at]];
		for (size_t i = 0; i < path->nrefs; i++)
			reach(maker, path->refs[i], maker->queue[at]);
	}
}

/*
 * A closure read from a list may contain paths that no root leads to. Then each path without a
 * referrer becomes a root, and one path of each cycle.
 */
static void add_listed(struct maker *maker)
{
	size_t *referrers = numbers(maker->arena, maker->n, 0);
	for (size_t i = 0; i < maker->n; i++)
		for (size_t j = 0; maker->referrer[i] == UNKNOWN && j < maker->closure->v[i].nrefs;
			j++)
			referrers[maker->closure->v[i].refs[j]] +=
				maker->closure->v[i].refs[j] != i;
	for (int cycles = 0; cycles < 2; cycles++)
		for (size_t i = 0; i < maker->n; i++) {
			size_t at = maker->queued;
			if (cycles || referrers[i] == 0)
				add_root(maker, i);
			follow(maker, at);
		}
}

/* ---- dominators ---- */

struct dominance {
	size_t n;
	const size_t *roots;
	size_t nroots;
	size_t *first, *referrers; /* path i has referrers[first[i]..first[i + 1]) */
	size_t *order, *rank;      /* paths in postorder, and each path's position in it */
	size_t *dominator;
};

/* Depth-first without recursion: a chain of references may be as long as the closure. */
static size_t order_from(struct dominance *d, const struct closure *closure, size_t root,
	size_t *stack, size_t *next, size_t ordered)
{
	size_t depth = 0;
	if (next[root] != UNKNOWN)
		return ordered;
	next[root] = 0;
	stack[depth++] = root;
	while (depth) {
		const size_t path = stack[depth - 1];
		if (next[path] == closure->v[path].nrefs) {
			d->rank[path] = ordered;
			d->order[ordered++] = path;
			depth--;
			continue;
		}
		const size_t child = closure->v[path].refs[next[path]++];
		if (next[child] == UNKNOWN) {
			next[child] = 0;
			stack[depth++] = child;
		}
	}
	return ordered;
}

static void order_all(struct dominance *d, struct arena *arena, const struct closure *closure)
{
	size_t *stack = numbers(arena, d->n, 0), *next = numbers(arena, d->n, UNKNOWN), ordered = 0;
	for (size_t i = 0; i < d->nroots; i++)
		ordered = order_from(d, closure, d->roots[i], stack, next, ordered);
	d->rank[d->n] = ordered;
}

static void find_referrers(struct dominance *d, struct arena *arena, const struct closure *closure)
{
	size_t edges = 0;
	d->first = numbers(arena, d->n + 1, 0);
	for (size_t i = 0; i < d->n; i++)
		for (size_t j = 0; j < closure->v[i].nrefs; j++, edges++)
			d->first[closure->v[i].refs[j] + 1]++;
	for (size_t i = 0; i < d->n; i++)
		d->first[i + 1] += d->first[i];
	size_t *filled = numbers(arena, d->n, 0);
	d->referrers = numbers(arena, edges, 0);
	for (size_t i = 0; i < d->n; i++)
		for (size_t j = 0; j < closure->v[i].nrefs; j++) {
			const size_t to = closure->v[i].refs[j];
			d->referrers[d->first[to] + filled[to]++] = i;
		}
}

static size_t common(const struct dominance *d, size_t a, size_t b)
{
	while (a != b) {
		while (d->rank[a] < d->rank[b])
			a = d->dominator[a];
		while (d->rank[b] < d->rank[a])
			b = d->dominator[b];
	}
	return a;
}

static size_t dominator_of(const struct dominance *d, size_t path, bool is_root)
{
	size_t found = is_root ? d->n : UNKNOWN;
	for (size_t i = d->first[path]; i < d->first[path + 1]; i++) {
		const size_t referrer = d->referrers[i];
		if (referrer != path && d->dominator[referrer] != UNKNOWN)
			found = found == UNKNOWN ? referrer : common(d, found, referrer);
	}
	return found;
}

static void find_dominators(struct dominance *d, struct arena *arena)
{
	bool *is_root = arena_alloc(arena, d->n + 1);
	for (size_t i = 0; i < d->nroots; i++)
		is_root[d->roots[i]] = true;
	d->dominator[d->n] = d->n;
	for (bool changed = true; changed;) {
		changed = false;
		for (size_t i = d->n; i-- > 0;) {
			const size_t path = d->order[i],
				     found = dominator_of(d, path, is_root[path]);
			changed |= found != d->dominator[path];
			d->dominator[path] = found;
		}
	}
}

void graph_make(struct arena *arena, const struct closure *closure, const size_t *roots,
	size_t nroots, struct graph *out)
{
	const size_t n = closure->n;
	struct maker maker = {.arena = arena,
		.closure = closure,
		.n = n,
		.referrer = numbers(arena, n, UNKNOWN),
		.queue = numbers(arena, n, 0)};
	for (size_t i = 0; i < nroots; i++)
		add_root(&maker, roots[i]);
	follow(&maker, 0);
	add_listed(&maker);
	struct dominance d = {.n = n,
		.roots = maker.roots.v,
		.nroots = maker.roots.n,
		.order = numbers(arena, n, 0),
		.rank = numbers(arena, n, 0),
		.dominator = numbers(arena, n, UNKNOWN)};
	order_all(&d, arena, closure);
	find_referrers(&d, arena, closure);
	find_dominators(&d, arena);
	*out = (struct graph){.closure = closure,
		.roots = d.roots,
		.nroots = d.nroots,
		.referrer = maker.referrer,
		.dominator = d.dominator,
		.order = d.order};
}
