/* SPDX-License-Identifier: MIT */
#include "imaging/guest/init/probe.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Offsets in bytes from the start of the disk: of a file system's magic number, its UUID and its
 * label. Of the two layouts of FAT, FAT32 has its type's name where the other has boot code.
 */
static const struct file_system {
	const char *type;
	const char *magic;
	off_t magic_at, uuid_at, label_at;
	unsigned label_bytes;
	enum { UUID, SERIAL } kind; /* SERIAL: 32 bits, little endian */
} file_systems[] = {
	{"ext", "\x53\xef", 0x438, 0x468, 0x478, 16, UUID},
	{"xfs", "XFSB", 0, 32, 108, 12, UUID},
	{"btrfs", "_BHRfS_M", 0x10040, 0x10020, 0x1012b, 256, UUID},
	{"erofs", "\xe2\xe1\xf5\xe0", 0x400, 0x430, 0x440, 16, UUID},
	{"vfat", "FAT32   ", 0x52, 0x43, 0x47, 11, SERIAL},
	{"vfat", "FAT16   ", 0x36, 0x27, 0x2b, 11, SERIAL},
	{"vfat", "FAT12   ", 0x36, 0x27, 0x2b, 11, SERIAL},
};

static bool bytes_read(int disk, void *to, size_t count, off_t from)
{
	return pread(disk, to, count, from) == (ssize_t)count;
}

static bool uuid_read(int disk, const struct file_system *system, char uuid[PROBE_UUID_BYTES])
{
	unsigned char b[16];
	if (!bytes_read(disk, b, system->kind == UUID ? 16 : 4, system->uuid_at))
		return false;
	if (system->kind == SERIAL) {
		snprintf(uuid, PROBE_UUID_BYTES, "%02X%02X-%02X%02X", b[3], b[2], b[1], b[0]);
		return true;
	}
	for (int i = 0; i < 16; i++, uuid += strlen(uuid))
		snprintf(uuid, 4, "%02x%s", b[i], i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
	return true;
}

/* FAT pads labels with blanks, and has a special name for no label. */
static bool label_read(int disk, const struct file_system *system, char label[PROBE_LABEL_BYTES])
{
	if (!bytes_read(disk, label, system->label_bytes, system->label_at))
		return false;
	size_t n = strnlen(label, system->label_bytes);
	while (system->kind == SERIAL && n && label[n - 1] == ' ')
		n--;
	label[n] = '\0';
	if (system->kind == SERIAL && strcmp(label, "NO NAME") == 0)
		*label = '\0';
	return true;
}

bool probe_read(int disk, struct probe *probe)
{
	for (size_t i = 0; i < sizeof file_systems / sizeof *file_systems; i++) {
		const struct file_system *system = &file_systems[i];
		char magic[8];
		size_t length = strlen(system->magic);
		if (!bytes_read(disk, magic, length, system->magic_at) ||
			memcmp(magic, system->magic, length) != 0)
			continue;
		probe->type = system->type;
		return uuid_read(disk, system, probe->uuid) &&
			label_read(disk, system, probe->label);
	}
	return false;
}

/* EXT4_FEATURE_INCOMPAT_RECOVER in s_feature_incompat; fs/ext4/ext4.h. */
bool probe_journal_waits(int disk)
{
	enum { FEATURE_INCOMPAT_AT = 0x460, RECOVER = 0x4 };
	struct probe probe;
	unsigned char features;
	return probe_read(disk, &probe) && strcmp(probe.type, "ext") == 0 &&
		bytes_read(disk, &features, 1, FEATURE_INCOMPAT_AT) && (features & RECOVER);
}

bool probe_matches(const struct probe *probe, const char *identity)
{
	const char *text = strchr(identity, ':') + 1;
	return strcmp(strncmp(identity, "uuid:", 5) == 0 ? probe->uuid : probe->label, text) == 0;
}
