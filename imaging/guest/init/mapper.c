/* SPDX-License-Identifier: MIT */
#include "imaging/guest/init/mapper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/dm-ioctl.h>

/* musl declares the request as int, which holds all its 32 bits. */
static int call(int control, unsigned long request, void *argument)
{
	return ioctl(control, (int)request, argument);
}

static struct dm_ioctl request_for(const struct mapping *mapping)
{
	struct dm_ioctl request = {
		.version = {4, 0, 0}, /* accepted by every kernel since 2.6 */
		.data_size = sizeof request,
		.data_start = sizeof request,
	};
	strcpy(request.name, mapping->name);
	return request;
}

static bool create(int control, const struct mapping *mapping, unsigned *minor)
{
	struct dm_ioctl request = request_for(mapping);
	strcpy(request.uuid, mapping->uuid);
	if (call(control, DM_DEV_CREATE, &request) != 0)
		return false;
	/*
	 * The lower and the upper bits of the minor number are on either side of the major number.
	 */
	*minor = (unsigned)((request.dev & 0xff) | (request.dev >> 12 & 0xfff00));
	return true;
}

static bool load(int control, const struct mapping *mapping)
{
	struct dm_target_spec target = {.length = mapping->sectors};
	struct dm_ioctl request = request_for(mapping);
	size_t length = strlen(mapping->parameters) + 1;
	char *all = calloc(1, sizeof request + sizeof target + length);
	if (!all)
		abort();
	strcpy(target.target_type, mapping->target);
	request.data_size = (uint32_t)(sizeof request + sizeof target + length);
	request.target_count = 1;
	request.flags = DM_READONLY_FLAG;
	memcpy(all, &request, sizeof request);
	memcpy(all + sizeof request, &target, sizeof target);
	memcpy(all + sizeof request + sizeof target, mapping->parameters, length);
	bool ok = call(control, DM_TABLE_LOAD, all) == 0;
	free(all);
	return ok;
}

static bool resume(int control, const struct mapping *mapping)
{
	struct dm_ioctl request = request_for(mapping);
	/* Without DM_SUSPEND_FLAG it resumes the device and activates the loaded table. */
	return call(control, DM_DEV_SUSPEND, &request) == 0;
}

static void give_up(int control, const struct mapping *mapping)
{
	int error = errno;
	struct dm_ioctl request = request_for(mapping);
	call(control, DM_DEV_REMOVE, &request);
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
