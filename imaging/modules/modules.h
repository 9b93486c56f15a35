/* SPDX-License-Identifier: MIT */
/* modules: finds the kernel modules that a guest's first stage loads, and their order. */
#ifndef MVM_IMAGING_MODULES_MODULES_H
#define MVM_IMAGING_MODULES_MODULES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"

struct module_wish {
	const char *name; /* module name or alias; '-' and '_' are equivalent */
	const char *why;  /* the reason, for messages: "the store disk is squashfs" */
	/* not an error if the kernel lacks it, or it does not load */
	bool optional;
	const struct pos *where; /* that asks for it; NULL: as all of them */
};

struct module_wishes {
	struct module_wish *v;
	size_t n, capacity;
};

struct module_file {
	/* file name in the initramfs, where it is uncompressed: "virtio_blk.ko" */
	const char *name;
	const char *path; /* the file on this machine, possibly compressed (.xz, .zst, .gz) */
	bool may_fail;    /* a soft dependency, which the hardware may lack */
};

struct module_list {
	struct module_file *v;
	size_t n;
};

/*
 * Finds `directory` (a tree with lib/modules/VERSION, lib/modules itself, or the VERSION directory)
 * for kernel `version`, and resolves the wishes to the files to load, dependencies first, without
 * duplicates and built-in modules. Does not need modules.dep. An error (STATUS_INPUT, at `where`)
 * names the missing module and why it is needed. With directory NULL the kernel is monolithic, and
 * nothing is loaded.
 */
bool modules_resolve(struct arena *arena, struct diag *diag, const char *directory,
	const char *version, const struct pos *where, const struct module_wish *wishes,
	size_t count, struct module_list *out);

/*
 * Whether a module in the list contains this text; true also if it is not in the list or cannot be
 * read.
 */
bool module_holds(
	struct arena *arena, const struct module_list *modules, const char *name, const char *text);

#endif
