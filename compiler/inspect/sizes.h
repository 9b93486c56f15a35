/* SPDX-License-Identifier: MIT */
/* sizes: what each store path of a VM takes, and what it keeps in the closure. */
#ifndef MVM_COMPILER_INSPECT_SIZES_H
#define MVM_COMPILER_INSPECT_SIZES_H

#include "compiler/inspect/graph.h"
#include "compiler/session/session.h"

/* The closure of a runner, or of a description that may never have been built. */
struct packed {
	const char *name;       /* of the VM */
	const char *runner;     /* NULL: a description */
	struct closure closure; /* every size is known */
	const size_t *roots;
	size_t nroots;
	bool on_disk; /* it is, or would be, in a store disk */
	/* of a runner's store disk; of its hash tree, which is part of it */
	uint64_t disk_bytes, tree_bytes;
	const int64_t *stored; /* bytes of each path's data in the store disk; -1: not known */
};

/*
 * Whatever the command line names: one runner, or descriptions. Builds nothing and writes nothing.
 */
bool packed_load(struct session *session, struct packed *out);

struct size {
	uint64_t raw;    /* as NARs */
	uint64_t stored; /* in the store disk, of those paths that it is known of */
	size_t paths, unknown;
};

struct path_size {
	struct size own;
	struct size closure; /* with all that it refers to, directly or not */
	struct size alone;   /* itself and what only it brings: what goes when it goes */
};

struct sizes {
	const struct packed *packed;
	struct graph graph;
	struct size total;
	bool estimated;          /* `stored` is a share of the store disk by the raw sizes */
	struct path_size *paths; /* a place for each path */
	/* all paths, the largest first: by stored size where it is known, else by raw size */
	const size_t *by_size;
};

void sizes_make(struct arena *arena, const struct packed *packed, struct sizes *out);
/* What goes when this root is not asked for any more: nothing, where another path refers to it. */
struct size root_alone(const struct sizes *sizes, size_t root);

/* ", 1.2 MB of it the hash tree"; "" without one. */
const char *tree_text(struct arena *arena, const struct packed *packed);
/* An XHTML page with all that it needs. */
struct buf;
void sizes_html(struct arena *arena, struct buf *out, const struct sizes *sizes);
/* "1.2 MB"; "~1.2 MB" for an estimate; "1.2 MB+" where some are not known, "-" where none is. */
const char *stored_text(struct arena *arena, const struct sizes *sizes, const struct size *size);

#endif
