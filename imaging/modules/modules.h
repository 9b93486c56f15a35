/* SPDX-License-Identifier: MIT */
/* modules: the kernel modules that a guest's first stage loads, in order. */
#ifndef MVM_IMAGING_MODULES_MODULES_H
#define MVM_IMAGING_MODULES_MODULES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"

struct module_wish {
	const char *name; /* module name or alias; '-' and '_' are the same */
	const char *why;  /* for messages: "the store disk is squashfs" */
	/*
	 * fine when the kernel has no such module and it is not built in either, or when it does
	 * not load
	 */
	bool optional;
};

struct module_wishes {
	struct module_wish *v;
	size_t n, capacity;
};

struct module_file {
	const char *name; /* file name in the initramfs: "virtio_blk.ko", decompressed */
	const char *path; /* the file on this machine, maybe compressed (.xz, .zst, .gz) */
	bool may_fail;    /* a soft dependency: the hardware may not have it */
};

struct module_list {
	struct module_file *v;
	size_t n;
};

/*
 * Finds `DIRECTORY` (a tree with lib/modules/VERSION, lib/modules itself, or the VERSION directory)
 * for kernel `version` and resolves the wishes to the files to load, dependencies first, without
 * duplicates, built-in ones left out. Works without modules.dep. Errors (STATUS_INPUT, at `where`)
 * name the module that the kernel lacks and why it is needed. directory NULL: the kernel is
 * monolithic, nothing to load.
 */
bool modules_resolve(struct arena *arena, struct diag *diag, const char *directory,
	const char *version, const struct pos *where, const struct module_wish *wishes,
	size_t count, struct module_list *out);

/*
 * Whether this text stands in a module that is in the list; true also when it is not in the list or
 * cannot be read.
 */
bool module_holds(
	struct arena *arena, const struct module_list *modules, const char *name, const char *text);

#endif
