/* SPDX-License-Identifier: MIT */
/* report: plans and descriptions as JSON, for people, tests and the runner. */
#ifndef MVM_COMPILER_PLAN_REPORT_H
#define MVM_COMPILER_PLAN_REPORT_H

#include <json-c/json.h>

#include "compiler/plan/plan.h"

/* The caller owns every returned object (json_object_put). */

/* The effective description: every option with its value, in the table's order. */
struct json_object *report_vm(struct arena *arena, const struct vm *vm);
/* The plan of a build: description, kernel, closure, disks, mounts, modules, arguments. */
struct json_object *report_plan(struct arena *arena, const struct plan *plan);
/* The guest's mounts, in order (report_storage.c). */
struct json_object *report_mounts(struct arena *arena, const struct vm *vm,
	const struct storage *storage, const struct guest_mounts *mounts);
/* The steps of our stage 1, in order (report_steps.c). */
struct json_object *report_steps(struct arena *arena, const struct stage1_steps *steps);
/*
 * Only the guest's file systems, which depend on the description alone: for the configuration of a
 * guest with its own initrd.
 */
struct json_object *report_storage(
	struct arena *arena, const struct vm *vm, const struct storage *storage);
/* Arguments as text, with braces around values that are known only at the start. */
struct json_object *report_command(struct arena *arena, const struct command *command);
/* Indented, with a final line break; valid as long as the object. */
const char *report_text(struct arena *arena, struct json_object *object);

#endif
