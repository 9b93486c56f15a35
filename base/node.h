/* SPDX-License-Identifier: MIT */
/* node: the tree of a description; every node knows its position in the source. */
#ifndef MVM_BASE_NODE_H
#define MVM_BASE_NODE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node;
struct string_map;

struct entry {
	const char *key;
	struct pos key_pos;
	struct node *value;
};

struct node {
	enum node_kind kind;
	struct pos pos;
	const char *text; /* of a scalar */
	bool quoted;      /* a scalar in quotes or in a block is always a string */
	VEC(struct node *) items;
	/* in the order of the text, keys unique; filled by node_set and node_add */
	VEC(struct entry) entries;
	struct string_map *index; /* of the keys of a large map; NULL while it is small */
	size_t weight;            /* number of nodes in it, aliases expanded */
	unsigned height;          /* levels below it, aliases expanded */
};

struct node *node_new(struct arena *arena, enum node_kind kind, const struct pos *pos);
/* Returns the entry of a key; NULL if the map has no such key. */
struct entry *node_find(const struct node *map, const char *key);
/* Returns the value of a key; NULL if the map has no such key. */
struct node *node_get(const struct node *map, const char *key);
/* Adds an entry, whose key must be new. */
void node_add(struct arena *arena, struct node *map, const struct entry *entry);
/* Adds an entry, or replaces the one with its key. */
void node_set(struct arena *arena, struct node *map, const struct entry *entry);
/* Returns a shallow copy, whose list of items or entries can be changed. */
struct node *node_copy(struct arena *arena, const struct node *node);
/*
 * Lays `over` upon `base` (may be NULL): maps are merged key by key, anything else is replaced.
 * Neither is changed.
 */
struct node *node_merge(struct arena *arena, struct node *base, struct node *over);
/* Whether it is an unquoted null, ~ or empty scalar. */
bool node_is_null(const struct node *node);

#endif
