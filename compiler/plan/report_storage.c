/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/shape.h"
#include "compiler/plan/report.h"
#include "compiler/storage/guest.h"

static void set_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

/*
 * The disk's name in udev's terms. The kernel's name, which depends on the order of disks, is the
 * last resort.
 */
static const char *device_of(struct arena *arena, const struct guest_mount *mount)
{
	if (mount->stage1.is_disk)
		return arena_printf(arena, "/dev/disk/by-id/virtio-%s", mount->stage1.source);
	return mount->label && is_made_of(mount->label, "-_.")
		? arena_printf(arena, "/dev/disk/by-label/%s", mount->label)
		: mount->stage1.source;
}

/* Reported as layers, not as options. */
static bool is_layer(const char *option)
{
	return strncmp(option, "lowerdir=", 9) == 0 || strncmp(option, "upperdir=", 9) == 0 ||
		strncmp(option, "workdir=", 8) == 0;
}

static void add_options(
	struct arena *arena, struct json_object *list, const struct guest_mount *mount)
{
	if (mount->stage1.read_only)
		json_object_array_add(list, json_object_new_string("ro"));
	char *rest = arena_strdup(arena, mount->stage1.options);
	for (char *option; rest && (option = strsep(&rest, ","));)
		if (*option && !is_layer(option))
			json_object_array_add(list, json_object_new_string(option));
}

static struct json_object *layers_json(const struct store_overlay *overlay)
{
	struct json_object *layers = json_object_new_object();
	set_text(layers, "lower", overlay->lower);
	set_text(layers, "upper", overlay->upper);
	set_text(layers, "work", overlay->work);
	return layers;
}

static struct json_object *mount_json(struct arena *arena, const struct vm *vm,
	const struct storage *storage, const struct guest_mount *mount)
{
	struct json_object *object = json_object_new_object(), *options = json_object_new_array();
	set_text(object, "target", mount->stage1.target);
	set_text(object, "device", device_of(arena, mount));
	set_text(object, "type", mount->stage1.type);
	add_options(arena, options, mount);
	json_object_object_add(object, "options", options);
	if (strcmp(mount->stage1.type, "overlay") == 0 && storage->writable)
		json_object_object_add(object, "layers", layers_json(&storage->overlay));
	json_object_object_add(object, "neededForBoot",
		json_object_new_boolean(storage_is_early(vm, storage, mount->stage1.target)));
	if (mount->grows)
		json_object_object_add(object, "grows", json_object_new_boolean(true));
	return object;
}

struct json_object *report_mounts(struct arena *arena, const struct vm *vm,
	const struct storage *storage, const struct guest_mounts *mounts)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < mounts->n; i++)
		json_object_array_add(array, mount_json(arena, vm, storage, &mounts->v[i]));
	return array;
}

struct json_object *report_storage(
	struct arena *arena, const struct vm *vm, const struct storage *storage)
{
	struct guest guest;
	struct guest_mounts mounts = {0};
	guest_lower(arena, vm, storage, vm->hypervisor, &guest);
	storage_mounts(arena, vm, storage, &guest, &mounts);
	struct json_object *object = json_object_new_object();
	set_text(object, "storeDir", vm->store_dir);
	set_text(object, "stateDir", storage->nix.dir);
	json_object_object_add(object, "writableStore", json_object_new_boolean(storage->writable));
	json_object_object_add(object, "mounts", report_mounts(arena, vm, storage, &mounts));
	return object;
}
