/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "backends/backend.h"

extern const struct backend qemu_backend;

const struct backend *const backends[] = {&qemu_backend, NULL};

const struct backend *backend_find(const char *name)
{
	for (const struct backend *const *backend = backends; *backend; backend++)
		if (strcmp((*backend)->name, name) == 0)
			return *backend;
	return NULL;
}

const char *feature_name(enum feature feature)
{
	static const char *const names[FEATURE_COUNT] = {
		[FEATURE_USER_NETWORK] = "user networking",
		[FEATURE_FORWARD_PORTS] = "port forwarding",
		[FEATURE_CPU] = "CPU emulation",
		[FEATURE_BALLOON] = "a balloon",
		[FEATURE_HOTPLUG_MEMORY] = "hotplug memory",
		[FEATURE_MACHINE_ID] = "a machine id",
		[FEATURE_CREDENTIALS] = "credentials",
		[FEATURE_SOCKET] = "a control socket",
		[FEATURE_USER] = "switching to a user",
		[FEATURE_DIRECT] = "direct I/O",
		[FEATURE_IMAGE_TYPES] = "image types other than raw",
	};
	return names[feature];
}
