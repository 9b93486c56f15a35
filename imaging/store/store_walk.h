/* SPDX-License-Identifier: MIT */
/*
 * store_walk: reads the tree of a store path once, for those who make something of it and for its
 * hash at the same time. The order is that of its NAR: depth first, and what a directory holds by
 * name.
 */
#ifndef MVM_IMAGING_STORE_STORE_WALK_H
#define MVM_IMAGING_STORE_STORE_WALK_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/diag.h"
#include "imaging/store/nar.h"

struct store_walk;

/* A file, directory or link that the walk came to. */
struct store_node {
	const char *name; /* in its directory, or in the store */
	/*
	 * from 0, in the order of the walk; of the directory that holds it. The path itself is 0.
	 */
	uint32_t number, parent;
	mode_t mode;   /* permission bits */
	uint64_t size; /* of a file, and of a link's target */
};

/* Who is told. Each returns false, with an error, to end the walk; NULL: not interested. */
struct store_visitor {
	bool (*directory)(void *context, struct store_walk *walk, const struct store_node *node);
	bool (*directory_end)(void *context, struct store_walk *walk, const struct store_node *node,
		uint32_t entries);
	bool (*symlink)(void *context, struct store_walk *walk, const struct store_node *node,
		const char *target);
	/*
	 * `fd` is at its start. What is read of it, all of it in a walk with a hash, is given to
	 * store_walk_content.
	 */
	bool (*file)(void *context, struct store_walk *walk, const struct store_node *node, int fd);
};

struct store_walk {
	struct diag *diag;
	const struct store_visitor *visitor;
	void *context;
	bool hashed;
	/* The rest begins as zeros: */
	struct nar nar;
	struct buf path;        /* of the node at hand */
	size_t root_length;     /* of the path to the store path itself */
	uint32_t nodes;         /* so far, */
	uint64_t content_bytes; /* and what their files hold */
	unsigned char *buffer;  /* for files that no visitor reads */
};

/*
 * False, with an error (STATUS_INPUT), for what cannot be read, and for what a store does not hold:
 * devices, sockets, pipes. Once for each walk.
 */
bool store_walk_run(struct store_walk *walk, const char *path);
void store_walk_free(struct store_walk *walk);

/* For visitors: the next bytes of the file at hand. */
void store_walk_content(struct store_walk *walk, const void *bytes, size_t count);
/* Errors about the node at hand; false. */
bool store_walk_failed(const struct store_walk *walk);
bool store_walk_changed(const struct store_walk *walk);

#endif
