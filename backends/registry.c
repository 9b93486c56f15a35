/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "backends/interface/backend.h"

extern const struct backend qemu_backend;
extern const struct backend cloud_hypervisor_backend;
extern const struct backend firecracker_backend;
extern const struct backend crosvm_backend;
extern const struct backend kvmtool_backend;
extern const struct backend stratovirt_backend;
extern const struct backend alioth_backend;
extern const struct backend vfkit_backend;

const struct backend *const backends[] = {
	&qemu_backend,
	&cloud_hypervisor_backend,
	&firecracker_backend,
	&crosvm_backend,
	&kvmtool_backend,
	&stratovirt_backend,
	&alioth_backend,
	&vfkit_backend,
	NULL,
};

const struct backend *backend_find(const char *name)
{
	for (const struct backend *const *backend = backends; *backend; backend++)
		if (strcmp((*backend)->name, name) == 0)
			return *backend;
	return NULL;
}
