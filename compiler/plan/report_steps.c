/* SPDX-License-Identifier: MIT */
#include "compiler/plan/report.h"

static const char *const kind_names[] = {
	[STAGE1_VERITY] = "verity",
	[STAGE1_MOUNT] = "mount",
	[STAGE1_GROW] = "grow",
	[STAGE1_DIRECTORY] = "directory",
	[STAGE1_FILE] = "file",
	[STAGE1_LINK] = "link",
	[STAGE1_RUN] = "run",
};

static void set_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static void set_mode(
	struct arena *arena, struct json_object *object, unsigned mode, const char *target)
{
	set_text(object, "target", target);
	set_text(object, "mode", arena_printf(arena, "%04o", mode));
}

static void set_mount(struct json_object *object, const struct stage1_mount *mount)
{
	set_text(object, mount->is_disk ? "serial" : "source", mount->source);
	set_text(object, "target", mount->target);
	set_text(object, "type", mount->type);
	json_object_object_add(object, "readOnly", json_object_new_boolean(mount->read_only));
	set_text(object, "options", mount->options);
	if (mount->identity)
		set_text(object, "identity", mount->identity);
}

static void set_run(struct json_object *object, const struct stage1_run *run)
{
	struct json_object *command = json_object_new_array();
	for (const char *const *argument = run->arguments; *argument; argument++)
		json_object_array_add(command, json_object_new_string(*argument));
	json_object_object_add(object, "command", command);
}

/* A disk's hash tree is not printed, because it is known only after the disk was made. */
static void set_step(
	struct arena *arena, struct json_object *object, const struct stage1_step *step)
{
	switch (step->kind) {
	case STAGE1_VERITY:
		set_text(object, step->verity.is_disk ? "serial" : "source", step->verity.source);
		set_text(object, "name", step->verity.name);
		break;
	case STAGE1_MOUNT:
		set_mount(object, &step->mount);
		break;
	case STAGE1_GROW:
		set_text(object, "target", step->grow.target);
		break;
	case STAGE1_DIRECTORY:
		set_mode(arena, object, step->directory.mode, step->directory.target);
		json_object_object_add(
			object, "group", json_object_new_int64(step->directory.group));
		break;
	case STAGE1_FILE:
		set_mode(arena, object, step->file.mode, step->file.target);
		break;
	case STAGE1_LINK:
		set_text(object, "target", step->link.target);
		set_text(object, "path", step->link.path);
		break;
	case STAGE1_RUN:
		set_run(object, &step->run);
		break;
	}
}

struct json_object *report_steps(struct arena *arena, const struct stage1_steps *steps)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < steps->n; i++) {
		struct json_object *object = json_object_new_object();
		set_text(object, "step", kind_names[steps->v[i].kind]);
		set_step(arena, object, &steps->v[i]);
		json_object_array_add(array, object);
	}
	return array;
}
