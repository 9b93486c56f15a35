/* SPDX-License-Identifier: MIT */
/*
 * docgen: documents that are generated from the option table and from the backends' capabilities.
 */
#ifndef MVM_COMPILER_COMMAND_DOCGEN_H
#define MVM_COMPILER_COMMAND_DOCGEN_H

#include <json-c/json.h>
#include <stdio.h>

/* JSON Schema 2020-12 of a description; belongs to the caller. */
struct json_object *docgen_schema(void);
/* The option reference and the table of hypervisors, in Markdown. */
void docgen_options(FILE *out);
/* The same of host files. */
struct json_object *docgen_fleet_schema(void);
void docgen_fleet_options(FILE *out);

#endif
