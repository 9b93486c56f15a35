/* SPDX-License-Identifier: MIT */
/*
 * sizes: computes how much space each store path of a VM takes, and what it keeps in the closure.
 */
#ifndef MVM_COMPILER_INSPECT_SIZES_H
#define MVM_COMPILER_INSPECT_SIZES_H

#include "compiler/inspect/graph.h"
#include "compiler/session/session.h"

/* The closure of a runner, or of a description that need not have been built. */
struct packed {
	const char *name;       /* of the VM */
	const char *hypervisor; /* NULL: the runner does not name it */
	const char *runner;     /* NULL: read from a description */
	struct closure closure; /* every size is known */
	const size_t *roots;
	size_t nroots;
	bool on_disk;       /* the closure is, or would be, in a store disk of the runner */
	bool host_disk;     /* the host links the store disk */
	bool unbuilt_plain; /* that disk is not made yet, and will not be compressed */
	/*
	 * size of a runner's store disk; disk_bytes includes tree_bytes, the size of its hash tree
	 */
	uint64_t disk_bytes, tree_bytes;
	const int64_t *stored; /* bytes of each path's data in the store disk; -1: unknown */
};

/* Loads the files of the session: one runner, or descriptions. Builds and writes nothing. */
bool packed_load(struct session *session, struct packed *out);

struct size {
	uint64_t raw;    /* sum of the NAR sizes */
	uint64_t stored; /* bytes in the store disk, without the `unknown` paths */
	size_t paths, unknown;
};

struct path_size {
	struct size own;
	struct size closure; /* the path and everything it refers to, directly or indirectly */
	struct size alone;   /* the path and everything that only it keeps in the closure */
};

struct sizes {
	const struct packed *packed;
	struct graph graph;
	struct size total;
	bool estimated;          /* `stored` is an estimate from the raw sizes */
	struct path_size *paths; /* one for each path */
	/* all paths, largest first; by stored size if all are known, else by raw size */
	const size_t *by_size;
};

void sizes_make(struct arena *arena, const struct packed *packed, struct sizes *out);
/*
 * Returns how much would go away if this root were no longer requested: nothing, if another path
 * refers to it.
 */
struct size root_alone(const struct sizes *sizes, size_t root);

/* ", including a hash tree of 1.2 MB"; "" without one. */
const char *tree_text(struct arena *arena, const struct packed *packed);
/* Writes a self-contained XHTML page. */
struct buf;
void sizes_html(struct arena *arena, struct buf *out, const struct sizes *sizes);
/* "1.2 MB"; "~1.2 MB" for an estimate; "1.2 MB+" if some sizes are unknown, "-" if all are. */
const char *stored_text(struct arena *arena, const struct sizes *sizes, const struct size *size);

#endif
