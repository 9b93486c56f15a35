/* SPDX-License-Identifier: MIT */
/* config: finds the configuration that a kernel was built with. */
#ifndef MVM_IMAGING_KERNEL_CONFIG_H
#define MVM_IMAGING_KERNEL_CONFIG_H

#include "imaging/kernel/kernel.h"

struct kernel_config {
	const char *path; /* its source, for messages; NULL: not found */
	const char *text; /* contents of a .config; NULL: not found */
};

enum kernel_option { OPTION_ABSENT, OPTION_BUILT_IN, OPTION_MODULE };

/*
 * Looks beside the kernel, in the package or tree of its modules (may be NULL), and in an
 * uncompressed kernel that includes its own (CONFIG_IKCONFIG). A bzImage is not unpacked for it.
 */
struct kernel_config kernel_config_find(
	struct arena *arena, const struct kernel *kernel, const char *modules);
/* `name` is without CONFIG_. The configuration must have been found. */
enum kernel_option kernel_config_option(const struct kernel_config *config, const char *name);

#endif
