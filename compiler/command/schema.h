/* SPDX-License-Identifier: MIT */
/*
 * schema: the JSON Schemas of descriptions and host files, made from the tables of options. They
 * accept everything that mvmbuild accepts, and reject mistakes that concern a single option.
 */
#ifndef MVM_COMPILER_COMMAND_SCHEMA_H
#define MVM_COMPILER_COMMAND_SCHEMA_H

#include <json-c/json.h>

#include "base/arena.h"

/* Each belongs to the caller. */
struct json_object *schema_vm(struct arena *arena);
/* One of several files that make up a description: any option may be in another one. */
struct json_object *schema_part(struct arena *arena);
struct json_object *schema_fleet(struct arena *arena);

#endif
