/* SPDX-License-Identifier: MIT */
/* graph: computes which path keeps which other path in a closure. */
#ifndef MVM_COMPILER_INSPECT_GRAPH_H
#define MVM_COMPILER_INSPECT_GRAPH_H

#include <stddef.h>

#include "base/arena.h"
#include "imaging/store/store_path.h"

/* The arrays are indexed by path. The index `closure->n` stands for a node above all roots. */
struct graph {
	const struct closure *closure;
	/*
	 * the requested roots, then, for a closure read from a list, paths that no other root leads
	 * to
	 */
	const size_t *roots;
	size_t nroots;
	const size_t *referrer; /* the predecessor on a shortest chain from a root */
	/* the immediate dominator: the nearest path that every chain to this path goes through */
	const size_t *dominator;
	const size_t *order; /* all paths; each comes after those that it dominates */
};

void graph_make(struct arena *arena, const struct closure *closure, const size_t *roots,
	size_t nroots, struct graph *out);

#endif
