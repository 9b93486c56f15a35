/* SPDX-License-Identifier: MIT */
/* node_json: scalars of a description as JSON. */
#ifndef MVM_BASE_NODE_JSON_H
#define MVM_BASE_NODE_JSON_H

#include "base/buf.h"
#include "base/node.h"

/* A string, quotes and all. */
void json_put_text(struct buf *out, const char *text);
/* null, true, a number where YAML's core schema has one and JSON too, else a string. */
void json_put_scalar(struct buf *out, const struct node *scalar);

#endif
