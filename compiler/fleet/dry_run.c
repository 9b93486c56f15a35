/* SPDX-License-Identifier: MIT */
/* dry_run: lists what an output has, and predicts what a build of the host would change in it. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/printable.h"
#include "compiler/fleet/fleet.h"

/* The VMs of an earlier output, by name; NULL: no output. The caller releases `*whole`. */
static struct json_object *old_vms(
	struct session *session, const char *output, struct json_object **whole)
{
	struct bytes text;
	struct json_object *vms = NULL;
	const char *path = path_join(session->arena, output, FLEET_MANIFEST);
	*whole = NULL;
	if (path_exists(path) &&
		file_read(session->arena, diag_new(session->arena), path, FLEET_MANIFEST_BYTES,
			&text))
		*whole = json_tokener_parse(text.p);
	json_object_object_get_ex(*whole, "vms", &vms);
	return json_object_is_type(vms, json_type_object) ? vms : NULL;
}

bool fleet_is_built(struct arena *arena, const char *directory)
{
	return path_is_directory(directory) &&
		path_exists(path_join(arena, directory, FLEET_MANIFEST));
}

bool fleet_built_names(struct session *session, const char *output, struct strings *names)
{
	struct json_object *whole, *vms = old_vms(session, output, &whole);
	*names = (struct strings){0};
	if (vms) {
		json_object_object_foreach(vms, name, vm)
		{
			(void)vm;
			vec_push(session->arena, names, arena_strdup(session->arena, name));
		}
	}
	json_object_put(whole);
	return vms ||
		diag_error(session->diag, STATUS_INPUT, NULL, "bad-manifest",
			"%s/%s does not list the VMs", output, FLEET_MANIFEST);
}

static const char *change(struct json_object *old, const struct fleet_vm *vm)
{
	struct json_object *before = NULL, *fingerprint = NULL;
	if (!old || !json_object_object_get_ex(old, vm->name, &before))
		return "is new";
	json_object_object_get_ex(before, "fingerprint", &fingerprint);
	const char *text = json_object_get_string(fingerprint);
	return text && strcmp(text, vm->fingerprint) == 0 ? "has not changed" : "has changed";
}

static bool is_declared(const struct fleet *fleet, const char *name)
{
	for (size_t i = 0; i < fleet->vms.n; i++)
		if (strcmp(fleet->vms.v[i].name, name) == 0)
			return true;
	return false;
}

void fleet_print_changes(struct session *session, const struct fleet *fleet, const char *output)
{
	struct json_object *whole, *old = old_vms(session, output, &whole);
	for (size_t i = 0; i < fleet->vms.n; i++)
		printf("%s %s\n", fleet->vms.v[i].name, change(old, &fleet->vms.v[i]));
	if (old) {
		json_object_object_foreach(old, name, vm)
		{
			(void)vm;
			if (!is_declared(fleet, name))
				printf("%s is no longer declared\n",
					printable_text(session->arena, name));
		}
	}
	json_object_put(whole);
}
