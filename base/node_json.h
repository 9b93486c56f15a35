/* SPDX-License-Identifier: MIT */
/* node_json: writes scalars of a description as JSON. */
#ifndef MVM_BASE_NODE_JSON_H
#define MVM_BASE_NODE_JSON_H

#include "base/buf.h"
#include "base/node.h"

/* Writes a string, with quotes. */
void json_put_text(struct buf *out, const char *text);
/*
 * Writes null, true, false, or a number if YAML's core schema and JSON both allow it, else a
 * string.
 */
void json_put_scalar(struct buf *out, const struct node *scalar);

#endif
