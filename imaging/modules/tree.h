/* SPDX-License-Identifier: MIT */
/* tree: finds the modules of one kernel by name or alias, without depmod's files. */
#ifndef MVM_IMAGING_MODULES_TREE_H
#define MVM_IMAGING_MODULES_TREE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"

struct module_tree;

struct module {
	const char *name; /* the kernel's name: '_' for every '-' */
	const char *path;
	/* path in the tree, from a slash on: "/kernel/drivers/char/hw_random/virtio-rng.ko.xz" */
	const char *inside;
	/* the last part of `path` without the suffix of a compression: "virtio-rng.ko" */
	const char *file;

	/* From its .modinfo section, once module_read has returned NULL. */
	bool is_read;
	const char *kernel; /* the version that it was built for; "" if unknown */
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
 * `directory` is that of modules_resolve; NULL with an error (STATUS_INPUT, at `where`). Everything
 * is allocated in `arena`.
 */
struct module_tree *module_tree_open(struct arena *arena, struct diag *diag, const char *directory,
	const char *version, const struct pos *where);
/* Returns the directory of the kernel's version. */
const char *module_tree_path(const struct module_tree *tree);

/* Returns NULL if it is missing; '-' and '_' are equivalent. */
struct module *module_tree_find(struct module_tree *tree, const char *name);
/* Whether a module of that name or alias is built into the kernel. */
bool module_tree_has_builtin(const struct module_tree *tree, const char *name_or_alias);
/*
 * Adds the modules with that alias to `out`, sorted by path. Without modules.alias it reads the
 * modules themselves: those in likely places, and with `everywhere` all others if none was found.
 */
void module_tree_match(
	struct module_tree *tree, const char *alias, bool everywhere, struct module_refs *out);

/* Reads the module's .modinfo once. Returns NULL, or why it failed. Defined in read.c. */
const char *module_read(struct arena *arena, struct module *module);
/* Replaces '-' by '_', except inside a pattern's brackets. */
const char *module_name_normalize(struct arena *arena, const char *name, size_t length);

#endif
