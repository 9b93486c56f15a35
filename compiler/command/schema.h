/* SPDX-License-Identifier: MIT */
/*
 * schema: the JSON Schemas of descriptions and host files, made from the tables of options. They
 * accept all that mvmbuild accepts, and reject as much of the rest as concerns one option alone.
 */
#ifndef MVM_COMPILER_COMMAND_SCHEMA_H
#define MVM_COMPILER_COMMAND_SCHEMA_H

#include <json-c/json.h>

#include "base/arena.h"

/* Each belongs to the caller. */
struct json_object *schema_vm(struct arena *arena);
/* A file of a description that several files make up: any option may be in another one. */
struct json_object *schema_part(struct arena *arena);
struct json_object *schema_fleet(struct arena *arena);

#endif
