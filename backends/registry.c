/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "backends/interface/backend.h"

/* X(NAME) for every NAME_backend, in the order of the tables in the documentation. */
#define BACKENDS(X) \
	X(qemu) \
	X(cloud_hypervisor) \
	X(firecracker) \
	X(crosvm) \
	X(kvmtool) \
	X(stratovirt) \
	X(alioth) \
	X(vfkit)

#define DECLARE(name) extern const struct backend name##_backend;
BACKENDS(DECLARE)

#define ADDRESS(name) &name##_backend,
const struct backend *const backends[] = {BACKENDS(ADDRESS) NULL};

_Static_assert(countof(backends) - 1 <= BACKENDS_MAX, "vm->own has a place for each backend");

const struct backend *backend_find(const char *name)
{
	for (const struct backend *const *backend = backends; *backend; backend++)
		if (strcmp((*backend)->name, name) == 0)
			return *backend;
	return NULL;
}
