/* SPDX-License-Identifier: MIT */
/*
 * tree: the modules of one kernel, found by name or alias; what depmod would have written is not
 * needed.
 */
#ifndef MVM_IMAGING_MODULES_TREE_H
#define MVM_IMAGING_MODULES_TREE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"

struct module_tree;

struct module {
	const char *name; /* as the kernel knows it: '_' for every '-' */
	const char *path;
	const char *inside; /* the tree, with a slash before it:
			       "/kernel/drivers/char/hw_random/virtio-rng.ko.xz" */
	const char *file;   /* the last part of `path` without the suffix of a compression:
			       "virtio-rng.ko" */

	/* From its .modinfo section, once module_read has returned NULL. */
	bool is_read;
	const char *kernel; /* the version that it was built for; "" when it does not say */
	struct strings depends, soft_before, soft_after, aliases;

	/* For the resolver. */
	bool is_reached, may_fail;
};

/* A list of modules of a tree. */
struct module_refs {
	struct module **v;
	size_t n;
	size_t capacity;
};

/*
 * `directory` as modules_resolve takes it; NULL with an error (STATUS_INPUT, at `where`). Nothing
 * to close: all is in `arena`.
 */
struct module_tree *module_tree_open(struct arena *arena, struct diag *diag, const char *directory,
	const char *version, const struct pos *where);
/* The directory that belongs to the kernel's version. */
const char *module_tree_path(const struct module_tree *tree);

/* NULL when there is none; '-' and '_' are the same. */
struct module *module_tree_find(struct module_tree *tree, const char *name);
/* Whether a module of that name, or one with that alias, is part of the kernel itself. */
bool module_tree_has_builtin(const struct module_tree *tree, const char *name_or_alias);
/*
 * Adds the modules with that alias to `out`, in the order of their paths. Without modules.alias the
 * modules themselves must be read: those in likely places, or, when `everywhere`, all of them if
 * need be.
 */
void module_tree_match(
	struct module_tree *tree, const char *alias, bool everywhere, struct module_refs *out);

/* Reads the module's .modinfo, once. NULL, or why it failed. In read.c. */
const char *module_read(struct arena *arena, struct module *module);
/* '-' becomes '_', but not inside a pattern's brackets. */
const char *module_name_normalize(struct arena *arena, const char *name, size_t length);

#endif
