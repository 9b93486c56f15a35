/* SPDX-License-Identifier: MIT */
#include "compiler/storage/volume.h"

#include <string.h>

#include "imaging/volume/identity.h"

#define EXT \
	.package = "e2fsprogs", .quiet = "-q", .label_option = "-L", .uuid_option = "-U", \
	.uuid_prefix = "", .label_bytes = EXT_LABEL_BYTES, .minimum_mib = EXT_MINIMUM_MIB, \
	.in_process = true

/*
 * The smallest sizes are those of Debian 12's programs: xfsprogs 6.1, btrfs-progs 6.2 (metadata
 * twice), dosfstools 4.2.
 */
static const struct volume_type types[] = {
	{"ext2", "mkfs.ext2", EXT, .ext = EXT2},
	{"ext3", "mkfs.ext3", EXT, .ext = EXT3},
	{"ext4", "mkfs.ext4", EXT, .ext = EXT4},
	{"xfs", "mkfs.xfs", "xfsprogs", "-q", "-L", "-m", "uuid=", 12, 300, false, 0},
	{"btrfs", "mkfs.btrfs", "btrfs-progs", "-q", "-L", "-U", "", 255, 109, false, 0},
	{"vfat", "mkfs.vfat", "dosfstools", NULL, "-n", "-i", "", 11, 1, false, 0},
};

const struct volume_type *volume_type_find(const char *name)
{
	for (size_t i = 0; i < countof(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

bool volume_by_mkfs(const struct volume *volume, const struct volume_type *type)
{
	return !type->in_process || volume->mkfs_extra_args.n;
}

const char *volume_use(const struct volume *volume)
{
	return volume->read_only ? "read" : "write";
}

const char *volume_seed(struct arena *arena, const struct vm *vm, const struct volume *volume)
{
	return arena_printf(arena, "%s/%s", vm->host_name, volume->image);
}

/* FAT has but 32 bits, which are written with capitals. */
const char *volume_uuid(struct arena *arena, const struct vm *vm, const struct volume *volume)
{
	struct identity identity = identity_of(volume_seed(arena, vm, volume));
	const uint8_t *uuid = identity.uuid;
	if (strcmp(volume->fs_type, "vfat") == 0)
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
	const struct volume_type *type = volume_type_find(volume->fs_type);
	const char *uuid = volume_uuid(arena, vm, volume);
	vec_push(arena, command, type->mkfs);
	if (type->quiet)
		vec_push(arena, command, type->quiet);
	vec_push(arena, command, type->uuid_option);
	vec_push(arena, command,
		arena_printf(arena, "%s%s", type->uuid_prefix,
			strcmp(type->name, "vfat") == 0 ? without_dash(arena, uuid) : uuid));
	if (volume->label) {
		vec_push(arena, command, type->label_option);
		vec_push(arena, command, volume->label);
	}
	strings_add(arena, command, volume->mkfs_extra_args.v, volume->mkfs_extra_args.n);
}
