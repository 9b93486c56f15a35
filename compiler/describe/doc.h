/* SPDX-License-Identifier: MIT */
/* doc: parses YAML and JSON into trees in which every node has its position. */
#ifndef MVM_COMPILER_DESCRIBE_DOC_H
#define MVM_COMPILER_DESCRIBE_DOC_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/file.h"
#include "base/node.h"

/*
 * Limits of a description, which is refused beyond them. DOC_MAX_NODES counts all documents of a
 * text, and a node once for each alias that uses it.
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
 * and must live as long as the nodes. Errors are STATUS_DESCRIPTION. Returns true if the text could
 * be parsed to its end, even if errors that leave a usable tree (duplicate keys) were reported.
 */
bool doc_parse(struct arena *arena, struct diag *diag, const char *name, const struct bytes *text,
	struct documents *documents);
/*
 * Reads a file and parses it; "-" is standard input. A file of another kind, such as a Nix
 * expression, is an error with advice. `named`: where the file is named, or NULL.
 */
bool doc_read(struct arena *arena, struct diag *diag, const struct pos *named, const char *path,
	struct documents *documents);
/*
 * Parses a single value ("[a, b]", "2G") of `--set`: `text` from byte `skip` on. Positions count
 * from the start of the text. Returns NULL after an error.
 */
struct node *doc_parse_value(
	struct arena *arena, struct diag *diag, const char *name, const char *text, size_t skip);

#endif
