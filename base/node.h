/* SPDX-License-Identifier: MIT */
/* node: the tree of a description; every node knows where it was written. */
#ifndef MVM_BASE_NODE_H
#define MVM_BASE_NODE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node;
struct names;

struct entry {
	const char *key;
	struct pos key_pos;
	struct node *value;
};

struct node {
	enum node_kind kind;
	struct pos pos;
	const char *text; /* of a scalar */
	bool quoted;      /* scalar: written in quotes or as a block, so surely a string */
	VEC(struct node *) items;
	/* in the order of the text, keys unique; filled by node_set and node_add */
	VEC(struct entry) entries;
	struct names *index; /* of the keys of a large map; NULL while it is small */
	size_t weight;       /* nodes in it, aliases expanded */
	unsigned height;     /* levels below it, aliases expanded */
};

struct node *node_new(struct arena *arena, enum node_kind kind, const struct pos *pos);
/* The entry of a key; NULL when the map has no such key. */
struct entry *node_find(const struct node *map, const char *key);
/* The value of a key; NULL when the map has no such key. */
struct node *node_get(const struct node *map, const char *key);
/* Adds an entry whose key is not there yet. */
void node_add(struct arena *arena, struct node *map, const struct entry *entry);
/* Adds an entry, or gives it another value. */
void node_set(struct arena *arena, struct node *map, const struct entry *entry);
/* The same kind, and the same items or entries in a node of its own, which can be changed. */
struct node *node_copy(struct arena *arena, const struct node *node);
/*
 * Lays `over` upon `base` (NULL: nothing there): maps are merged key by key, anything else is
 * replaced. Neither is changed.
 */
struct node *node_merge(struct arena *arena, struct node *base, struct node *over);
/* null, ~ or nothing at all. */
bool node_is_null(const struct node *node);

#endif
