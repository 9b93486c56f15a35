/* SPDX-License-Identifier: MIT */
/*
 * docgen: documents that are generated from the option table and from the backends' capabilities.
 */
#ifndef MVM_COMPILER_COMMAND_DOCGEN_H
#define MVM_COMPILER_COMMAND_DOCGEN_H

#include <json-c/json.h>
#include <stdio.h>

#include "base/arena.h"

/* JSON Schema 2020-12 of a description; belongs to the caller. */
struct json_object *docgen_schema(struct arena *arena);
/* The option reference and the table of hypervisors, in Markdown. */
void docgen_options(struct arena *arena, FILE *out);
/* The same documents for host files. */
struct json_object *docgen_fleet_schema(struct arena *arena);
void docgen_fleet_options(FILE *out);

#endif
