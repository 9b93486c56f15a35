/* SPDX-License-Identifier: MIT */
#include "compiler/storage/volume.h"

#include "imaging/volume/identity.h"

bool volume_by_mkfs(const struct volume *volume, const struct file_system *system)
{
	return !system->in_process || volume->mkfs_extra_args.n;
}

const char *volume_use(const struct volume *volume)
{
	return volume->read_only ? "read" : "write";
}

const char *volume_seed(struct arena *arena, const struct vm *vm, const struct volume *volume)
{
	return arena_printf(arena, "%s/%s", vm->host_name, volume->image);
}

/* FAT has only 32 bits, written in upper case. */
const char *volume_uuid(struct arena *arena, const struct vm *vm, const struct volume *volume)
{
	struct identity identity = identity_of(volume_seed(arena, vm, volume));
	const uint8_t *uuid = identity.uuid;
	const struct file_system *system = file_system_find(volume->fs_type);
	if (system && system->short_uuid)
		return arena_printf(arena, "%02X%02X-%02X%02X", uuid[0], uuid[1], uuid[2], uuid[3]);
	return uuid_text(arena, uuid);
}

static const char *without_dash(struct arena *arena, const char *text)
{
	return arena_printf(arena, "%.4s%s", text, text + 5);
}

void volume_mkfs(struct arena *arena, const struct vm *vm, const struct volume *volume,
	struct strings *command)
{
	const struct file_system *system = file_system_created(volume->fs_type);
	const char *uuid = volume_uuid(arena, vm, volume);
	vec_push(arena, command, system->mkfs);
	if (system->quiet)
		vec_push(arena, command, system->quiet);
	vec_push(arena, command, system->uuid_option);
	vec_push(arena, command,
		arena_printf(arena, "%s%s", system->uuid_prefix,
			system->short_uuid ? without_dash(arena, uuid) : uuid));
	if (volume->label) {
		vec_push(arena, command, system->label_option);
		vec_push(arena, command, volume->label);
	}
	strings_add(arena, command, volume->mkfs_extra_args.v, volume->mkfs_extra_args.n);
}
