/* SPDX-License-Identifier: MIT */
/* graph: which path keeps which other in a closure. */
#ifndef MVM_COMPILER_INSPECT_GRAPH_H
#define MVM_COMPILER_INSPECT_GRAPH_H

#include <stddef.h>

#include "base/arena.h"
#include "imaging/store/store_path.h"

/*
 * All arrays have a place for each path of the closure; a number of `closure->n` stands for what is
 * above the roots.
 */
struct graph {
	const struct closure *closure;
	/* those asked for, then those that nothing else leads to, where the closure is a list */
	const size_t *roots;
	size_t nroots;
	const size_t *referrer; /* the one before it on a shortest chain from a root */
	/* the nearest path without which nothing would lead to it; cycles may have one too */
	const size_t *dominator;
	const size_t *order; /* all paths, each behind those that it dominates */
};

void graph_make(struct arena *arena, const struct closure *closure, const size_t *roots,
	size_t nroots, struct graph *out);

#endif
