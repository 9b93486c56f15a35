/* SPDX-License-Identifier: MIT */
/* report: plans and descriptions as JSON, for people, for tests and for the runner. */
#ifndef MVM_REPORT_H
#define MVM_REPORT_H

#include <json-c/json.h>

#include "compiler/plan.h"

/* Every returned object belongs to the caller (json_object_put). */

/* The effective description, every option with its value, in the table's order. */
struct json_object *report_vm(const struct vm *vm);
/* What would be built: description, kernel, closure, disks, mounts, modules, arguments. */
struct json_object *report_plan(const struct plan *plan);
/* The closure: path, size, hash. */
struct json_object *report_closure(const struct closure *closure);
/* Arguments as text: what is known only at the start stands in braces. */
struct json_object *report_command(const struct command *command);
/* Indented, with a line break at the end; valid as long as the object. */
const char *report_text(struct arena *arena, struct json_object *object);

#endif
