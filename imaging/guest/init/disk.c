/* SPDX-License-Identifier: MIT */
#include "imaging/guest/init/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "imaging/guest/init/file.h"
#include "imaging/guest/init/message.h"
#include "imaging/guest/init/probe.h"

enum {
	POLL_MS = 2,
	ATTRIBUTE_BYTES = 600, /* of a path below /sys */
	SERIAL_BYTES = 256,
	/* The device truncates a longer serial number: VIRTIO_BLK_ID_BYTES. */
	VIRTIO_SERIAL_BYTES = 20,
};

static bool serial_read(const char *disk, char serial[SERIAL_BYTES])
{
	char path[ATTRIBUTE_BYTES];
	snprintf(path, sizeof path, "/sys/block/%s/serial", disk); /* virtio */
	if (file_line(path, serial, SERIAL_BYTES) && *serial)
		return true;
	snprintf(path, sizeof path, "/sys/block/%s/device/serial", disk); /* NVMe */
	return file_line(path, serial, SERIAL_BYTES) && *serial;
}

static bool serial_matches(const char *wanted, const char *serial)
{
	size_t length = strlen(wanted);
	return strcmp(wanted, serial) == 0 ||
		(length > VIRTIO_SERIAL_BYTES && strlen(serial) == VIRTIO_SERIAL_BYTES &&
			strncmp(wanted, serial, VIRTIO_SERIAL_BYTES) == 0);
}

static bool disk_find(const char *wanted, char path[DISK_PATH_BYTES])
{
	DIR *disks = opendir("/sys/block");
	if (!disks)
		return false;
	bool found = false;
	for (const struct dirent *entry; !found && (entry = readdir(disks));) {
		char serial[SERIAL_BYTES];
		if (entry->d_name[0] == '.' || !serial_read(entry->d_name, serial) ||
			!serial_matches(wanted, serial))
			continue;
		snprintf(path, DISK_PATH_BYTES, "/dev/%s", entry->d_name);
		found = access(path, F_OK) == 0;
	}
	closedir(disks);
	return found;
}

static void pause_shortly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
}

bool disk_wait(const struct parameters *parameters, const char *serial, char path[DISK_PATH_BYTES])
{
	long long end = milliseconds() + parameters->wait_ms;
	bool found;
	while (!(found = disk_find(serial, path)) && milliseconds() < end)
		pause_shortly();
	return found;
}

bool device_wait(const struct parameters *parameters, const char *path)
{
	long long end = milliseconds() + parameters->wait_ms;
	while (access(path, F_OK) != 0) {
		if (milliseconds() >= end)
			return false;
		pause_shortly();
	}
	return true;
}

bool disk_is(const char *path, const char *identity)
{
	struct probe probe;
	int disk = open(path, O_RDONLY | O_CLOEXEC);
	bool is = disk >= 0 && probe_read(disk, &probe) && probe_matches(&probe, identity);
	if (disk >= 0)
		close(disk);
	return is;
}

unsigned disks_identify(const char *identity, char path[DISK_PATH_BYTES])
{
	DIR *disks = opendir("/sys/block");
	unsigned count = 0;
	for (const struct dirent *entry; disks && (entry = readdir(disks));) {
		char candidate[DISK_PATH_BYTES];
		snprintf(candidate, sizeof candidate, "/dev/%s", entry->d_name);
		if (entry->d_name[0] == '.' || !disk_is(candidate, identity))
			continue;
		strcpy(path, candidate);
		count++;
	}
	if (disks)
		closedir(disks);
	return count;
}

void disks_print(void)
{
	DIR *disks = opendir("/sys/block");
	unsigned count = 0;
	for (const struct dirent *entry; disks && (entry = readdir(disks));) {
		char serial[SERIAL_BYTES];
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (serial_read(entry->d_name, serial))
			message("  there is %s, with serial \"%s\"", entry->d_name, serial);
		else
			message("  there is %s, without a serial", entry->d_name);
	}
	if (disks)
		closedir(disks);
	if (count == 0)
		message("  there is no disk at all; is the driver for the VM's disks among the "
			"modules?");
}
