/* SPDX-License-Identifier: MIT */
#include "imaging/guest/init/mapper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * The kernel's interface, include/uapi/linux/dm-ioctl.h, as of version 4.0, which all later ones
 * take; musl has no headers of the kernel.
 */
struct dm_call {
	uint32_t version[3], bytes, data_at, targets;
	int32_t opened;
	uint32_t flags, event, unused;
	uint64_t device;
	char name[128], uuid[129], padding[7];
};
struct dm_target {
	uint64_t first, sectors;
	int32_t status;
	uint32_t next;
	char type[16];
};
/* musl wants an int, which holds all 32 bits of a request. */
#define DM_DEV_CREATE (int)_IOWR(0xfd, 3, struct dm_call)
#define DM_DEV_REMOVE (int)_IOWR(0xfd, 4, struct dm_call)
#define DM_DEV_SUSPEND \
	(int)_IOWR(0xfd, 6, struct dm_call) /* without DM_SUSPEND it resumes: the table that was \
					       loaded takes effect */
#define DM_TABLE_LOAD (int)_IOWR(0xfd, 9, struct dm_call)
enum { DM_READ_ONLY = 1 };

static struct dm_call call_for(const struct mapping *mapping)
{
	struct dm_call call = {.version = {4, 0, 0}, .bytes = sizeof call, .data_at = sizeof call};
	strcpy(call.name, mapping->name);
	return call;
}

static bool create(int control, const struct mapping *mapping, unsigned *minor)
{
	struct dm_call call = call_for(mapping);
	strcpy(call.uuid, mapping->uuid);
	if (ioctl(control, DM_DEV_CREATE, &call) != 0)
		return false;
	/*
	 * The lower and the upper bits of the minor number stand on either side of the major one.
	 */
	*minor = (unsigned)((call.device & 0xff) | (call.device >> 12 & 0xfff00));
	return true;
}

static bool load(int control, const struct mapping *mapping)
{
	struct dm_target target = {.sectors = mapping->sectors};
	struct dm_call call = call_for(mapping);
	size_t length = strlen(mapping->parameters) + 1;
	char *all = calloc(1, sizeof call + sizeof target + length);
	if (!all)
		abort();
	strcpy(target.type, mapping->target);
	call.bytes = (uint32_t)(sizeof call + sizeof target + length);
	call.targets = 1;
	call.flags = DM_READ_ONLY;
	memcpy(all, &call, sizeof call);
	memcpy(all + sizeof call, &target, sizeof target);
	memcpy(all + sizeof call + sizeof target, mapping->parameters, length);
	bool ok = ioctl(control, DM_TABLE_LOAD, all) == 0;
	free(all);
	return ok;
}

static bool resume(int control, const struct mapping *mapping)
{
	struct dm_call call = call_for(mapping);
	return ioctl(control, DM_DEV_SUSPEND, &call) == 0;
}

static void give_up(int control, const struct mapping *mapping)
{
	int error = errno;
	struct dm_call call = call_for(mapping);
	ioctl(control, DM_DEV_REMOVE, &call);
	errno = error;
}

bool mapper_create(const struct mapping *mapping, unsigned *minor)
{
	int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (control < 0) {
		errno = errno == ENOENT ? ENODEV : errno;
		return false;
	}
	bool created = create(control, mapping, minor),
	     ok = created && load(control, mapping) && resume(control, mapping);
	if (created && !ok)
		give_up(control, mapping);
	int error = errno;
	close(control);
	errno = error;
	return ok;
}
