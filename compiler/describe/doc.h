/* SPDX-License-Identifier: MIT */
/* doc: YAML and JSON texts as trees in which every node knows its place. */
#ifndef MVM_COMPILER_DESCRIBE_DOC_H
#define MVM_COMPILER_DESCRIBE_DOC_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/file.h"
#include "base/node.h"

/*
 * Limits of a description; beyond them it is refused. Nodes count over all documents of a text, and
 * as often as aliases use them.
 */
enum {
	DOC_MAX_BYTES = 8 << 20,
	DOC_MAX_DEPTH = 64,
	DOC_MAX_NODES = 500000,
	DOC_MAX_KEYS = 20000,
	DOC_MAX_DOCUMENTS = 32
};

struct documents {
	struct node **v;
	size_t n, capacity;
};

/*
 * Parses all documents of a text into maps and appends them to `documents`. `name` is for messages
 * and must live as long as the nodes. Errors are STATUS_DESCRIPTION. True when the text could be
 * read to its end: mistakes that leave a good tree (duplicate keys) are only recorded.
 */
bool doc_parse(struct arena *arena, struct diag *diag, const char *name, const struct bytes *text,
	struct documents *documents);
/*
 * Parses a single value ("[a, b]", "2G"), as `--set` has it: `text` from byte `skip` on; places
 * count from the start of the text. NULL after an error.
 */
struct node *doc_parse_value(
	struct arena *arena, struct diag *diag, const char *name, const char *text, size_t skip);

#endif
