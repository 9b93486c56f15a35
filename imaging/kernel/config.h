/* SPDX-License-Identifier: MIT */
/* config: what a kernel was built with, where that can be read. */
#ifndef MVM_IMAGING_KERNEL_CONFIG_H
#define MVM_IMAGING_KERNEL_CONFIG_H

#include "imaging/kernel/kernel.h"

struct kernel_config {
	const char *path; /* where it stands, for messages; NULL: it cannot be read */
	const char *text; /* as in a .config; NULL likewise */
};

enum kernel_option { OPTION_ABSENT, OPTION_BUILT_IN, OPTION_MODULE };

/*
 * Looks beside the kernel, in the package or tree of its modules (may be NULL), and in a kernel
 * that is not packed and carries its own (CONFIG_IKCONFIG). A bzImage is not unpacked for it.
 */
struct kernel_config kernel_config_find(
	struct arena *arena, const struct kernel *kernel, const char *modules);
/* `name` is without CONFIG_. Only of a configuration that was found. */
enum kernel_option kernel_config_option(const struct kernel_config *config, const char *name);

#endif
