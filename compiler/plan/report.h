/* SPDX-License-Identifier: MIT */
/* report: plans and descriptions as JSON, for people, for tests and for the runner. */
#ifndef MVM_COMPILER_PLAN_REPORT_H
#define MVM_COMPILER_PLAN_REPORT_H

#include <json-c/json.h>

#include "compiler/plan/plan.h"

/* Every returned object belongs to the caller (json_object_put). */

/* The effective description, every option with its value, in the table's order. */
struct json_object *report_vm(struct arena *arena, const struct vm *vm);
/* What would be built: description, kernel, closure, disks, mounts, modules, arguments. */
struct json_object *report_plan(struct arena *arena, const struct plan *plan);
/* What the guest mounts, in order (report_storage.c). */
struct json_object *report_mounts(struct arena *arena, const struct vm *vm,
	const struct storage *storage, const struct guest_mounts *mounts);
/* What our stage 1 does, in order (report_steps.c). */
struct json_object *report_steps(struct arena *arena, const struct stage1_steps *steps);
/*
 * The guest's file systems alone, which the description decides: for the configuration of a guest
 * with an initrd of its own.
 */
struct json_object *report_storage(
	struct arena *arena, const struct vm *vm, const struct storage *storage);
/* Arguments as text: what is known only at the start stands in braces. */
struct json_object *report_command(struct arena *arena, const struct command *command);
/* Indented, with a line break at the end; valid as long as the object. */
const char *report_text(struct arena *arena, struct json_object *object);

#endif
