/* SPDX-License-Identifier: MIT */
/*
 * depmod's files are used only where they save reading modules, because Debian's kernel packages do
 * not include them. The dependencies are in each module's .modinfo, and only wanted modules are
 * read.
 */
#include "imaging/modules/modules.h"

#include <errno.h>
#include <string.h>

#include "base/ending.h"
#include "base/file.h"
#include "imaging/kernel/unpack.h"
#include "imaging/modules/tree.h"

struct resolver {
	struct arena *arena;
	struct diag *diag;
	const struct pos *where;
	const char *version; /* NULL: unknown */
	struct module_tree *tree;
	struct module_refs order; /* in the order of loading */
};

static bool module_check(struct resolver *resolver, struct module *module)
{
	const char *why = module_read(resolver->arena, module);
	if (why)
		return diag_error(resolver->diag, STATUS_INPUT, resolver->where,
			"unreadable-module", "cannot read the kernel module %s: %s", module->path,
			why);
	if (resolver->version && *module->kernel && strcmp(module->kernel, resolver->version) != 0)
		return diag_error(resolver->diag, STATUS_INPUT, resolver->where, "kernel-version",
			"%s is for kernel %s, but the kernel is version %s", module->path,
			module->kernel, resolver->version);
	return true;
}

static bool add_module(struct resolver *resolver, struct module *module, bool may_fail);

/* Adds soft dependencies, which the hardware or the kernel may lack. */
static bool add_soft(struct resolver *resolver, const struct strings *names)
{
	bool ok = true;
	for (size_t i = 0; i < names->n; i++) {
		struct module *module = module_tree_find(resolver->tree, names->v[i]);
		struct module_refs matching = {0};
		if (module)
			vec_push(resolver->arena, &matching, module);
		else if (!module_tree_has_builtin(resolver->tree, names->v[i]))
			module_tree_match(resolver->tree, names->v[i], false, &matching);
		for (size_t k = 0; k < matching.n; k++)
			ok &= add_module(resolver, matching.v[k], true);
	}
	return ok;
}

static bool add_dependencies(struct resolver *resolver, const struct module *module, bool may_fail)
{
	bool ok = true;
	for (size_t i = 0; i < module->depends.n; i++) {
		struct module *needed = module_tree_find(resolver->tree, module->depends.v[i]);
		if (needed)
			ok &= add_module(resolver, needed, may_fail);
		else if (!module_tree_has_builtin(resolver->tree, module->depends.v[i]))
			ok = diag_error(resolver->diag, STATUS_INPUT, resolver->where,
				"missing-module",
				"the kernel module %s needs %s, which is not in %s", module->name,
				module->depends.v[i], module_tree_path(resolver->tree));
	}
	return ok;
}

static bool add_module(struct resolver *resolver, struct module *module, bool may_fail)
{
	if (module->is_reached) {
		/*
		 * If it was reached as a soft dependency before, it and its dependencies are now
		 * required.
		 */
		bool promote = module->may_fail && !may_fail;
		module->may_fail &= may_fail;
		return !promote || add_dependencies(resolver, module, false);
	}
	module->is_reached = true;
	module->may_fail = may_fail;
	if (!module_check(resolver, module))
		return false;
	bool ok = add_soft(resolver, &module->soft_before);
	ok &= add_dependencies(resolver, module, may_fail);
	vec_push(resolver->arena, &resolver->order, module);
	ok &= add_soft(resolver, &module->soft_after);
	return ok;
}

static bool add_wish(struct resolver *resolver, const struct module_wish *wish)
{
	struct module *module = module_tree_find(resolver->tree, wish->name);
	if (module)
		return add_module(resolver, module, wish->optional);
	if (module_tree_has_builtin(resolver->tree, wish->name))
		return true;
	struct module_refs matching = {0};
	module_tree_match(resolver->tree, wish->name, !wish->optional, &matching);
	bool ok = true;
	/* The machine may support only some of several implementations. */
	for (size_t i = 0; i < matching.n; i++)
		ok &= add_module(resolver, matching.v[i], matching.n > 1 || wish->optional);
	if (matching.n == 0 && !wish->optional)
		return diag_error(resolver->diag, STATUS_INPUT,
			wish->where ? wish->where : resolver->where, "missing-module",
			"the kernel has no module \"%s\", which is needed because %s (searched: "
			"%s)",
			wish->name, wish->why, module_tree_path(resolver->tree));
	return ok;
}

static void list_files(
	struct arena *arena, const struct module_refs *order, struct module_list *out)
{
	out->v = arena_alloc(arena, (order->n + 1) * sizeof *out->v);
	for (; out->n < order->n; out->n++) {
		const struct module *module = order->v[out->n];
		out->v[out->n] = (struct module_file){arena_strdup(arena, module->file),
			arena_strdup(arena, module->path), module->may_fail};
	}
}

bool modules_resolve(struct arena *arena, struct diag *diag, const char *directory,
	const char *version, const struct pos *where, const struct module_wish *wishes,
	size_t count, struct module_list *out)
{
	*out = (struct module_list){0};
	if (!directory)
		return true;
	struct arena *scratch = arena_new(); /* the index of a kernel's modules takes some MB */
	struct resolver resolver = {
		.arena = scratch, .diag = diag, .where = where, .version = version};
	resolver.tree = module_tree_open(scratch, diag, directory, version, where);
	bool ok = resolver.tree;
	for (size_t i = 0; resolver.tree && i < count; i++)
		ok &= add_wish(&resolver, &wishes[i]);
	if (ok)
		list_files(arena, &resolver.order, out);
	arena_free(scratch);
	return ok;
}

bool module_holds(
	struct arena *arena, const struct module_list *modules, const char *name, const char *text)
{
	const struct module_file *module = NULL;
	for (size_t i = 0; i < modules->n; i++)
		if (strcmp(modules->v[i].name, name) == 0)
			module = &modules->v[i];
	uint64_t size;
	const char *why;
	FD_CLEANUP int fd = module ? unpack_open(arena, module->path, &size, &why) : -1;
	if (fd < 0)
		return true;
	char *bytes = arena_alloc(arena, size);
	if (!fd_read_all(fd, bytes, size, 0))
		ending_fatal("cannot read the kernel module %s: %s", module->path, strerror(errno));
	return memmem(bytes, size, text, strlen(text));
}
