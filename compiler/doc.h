/* SPDX-License-Identifier: MIT */
/* doc: YAML and JSON texts as trees in which every node knows its place. */
#ifndef MVM_DOC_H
#define MVM_DOC_H

#include <stdbool.h>

#include "compiler/base/arena.h"
#include "compiler/base/diag.h"
#include "compiler/base/file.h"

/* Limits of a description; beyond them it is refused. Aliases count as often as they are used. */
enum { DOC_MAX_BYTES = 8 << 20, DOC_MAX_DEPTH = 64, DOC_MAX_NODES = 500000, DOC_MAX_KEYS = 20000 };

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node;
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
	VEC(struct entry) entries; /* in the order of the text, keys unique */
	size_t weight;   /* nodes in it, aliases expanded */
	unsigned height; /* levels below it, aliases expanded */
};

/*
 * Parses all documents of a text into maps and appends them to `documents`. `name` is for messages and must live as long as the nodes. Errors are
 * STATUS_DESCRIPTION.
 */
struct documents {
	struct node **v;
	size_t n, capacity;
};
bool doc_parse(struct arena *arena, struct diag *diag, const char *name, const struct bytes *text, struct documents *documents);
/* Parses a single value ("[a, b]", "2G"), as `--set` has it. NULL after an error. */
struct node *doc_parse_value(struct arena *arena, struct diag *diag, const char *name, const char *text);

struct node *node_new(struct arena *arena, enum node_kind kind, const struct pos *pos);
/* The value of a key; NULL when the map has no such key. */
struct node *node_get(const struct node *map, const char *key);
void node_set(struct arena *arena, struct node *map, const char *key, const struct pos *key_pos, struct node *value);
/* Lays `over` upon `base` (NULL: nothing there): maps are merged key by key, anything else is replaced. Neither is changed. */
struct node *node_merge(struct arena *arena, struct node *base, struct node *over);
/* null, ~ or nothing at all. */
bool node_is_null(const struct node *node);
/* Same kinds, keys, order of items and texts. */
bool node_equal(const struct node *a, const struct node *b);

#endif
