/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/roots.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/interrupts.h"
#include "compiler/microvm/custody.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/machine.h"
#include "compiler/microvm/runners.h"

#define RUNNER_ROOTS ".runners"

static const struct {
	const char *prefix, *link;
} links[] = {{"", "current"}, {"booted-", "booted"}, {"old-", "old"}};

const char *roots_directory(struct arena *arena, struct diag *diag, bool needed)
{
	const char *state = getenv("NIX_STATE_DIR");
	const char *top = path_join(arena, state && *state ? state : "/nix/var/nix", "gcroots"),
		   *directory = path_join(arena, top, "microvm");
	if (!path_is_directory(top))
		return NULL;
	if (access(path_exists(directory) ? directory : top, needed ? W_OK : R_OK) == 0)
		return directory;
	if (needed)
		diag_warning(diag, NULL, "gcroot",
			"cannot make garbage collector roots in %s; Nix may delete what the VM "
			"needs",
			directory);
	return NULL;
}

static const char *runner_roots(const struct host *host, const char *name)
{
	return arena_printf(host->arena, "%s/" RUNNER_ROOTS "/%s", host->gcroots, name);
}

const char *roots_of_runner(const struct host *host, const char *name, const char *fingerprint)
{
	return host->gcroots ? path_join(host->arena, runner_roots(host, name),
				       path_base(runner_place(host->arena, fingerprint)))
			     : NULL;
}

bool roots_make(const struct host *host, const char *name)
{
	if (!host->gcroots)
		return true;
	bool ok = directory_make(host->diag, host->gcroots, 0755);
	for (size_t i = 0; ok && i < countof(links); i++) {
		const char *root =
			arena_printf(host->arena, "%s/%s%s", host->gcroots, links[i].prefix, name);
		ok = link_set(host->arena, host->diag, root,
			arena_printf(
				host->arena, "%s/%s/%s", host->state_dir, name, links[i].link));
	}
	return ok;
}

void roots_leave_no_litter(const struct host *host, const char *name)
{
	if (!host->gcroots)
		return;
	interrupts_remove_empty(runner_roots(host, name));
	interrupts_remove_empty(path_join(host->arena, host->gcroots, RUNNER_ROOTS));
}

void roots_forget(const struct host *host, const char *name)
{
	if (!host->gcroots)
		return;
	for (size_t i = 0; i < countof(links); i++)
		unlink(arena_printf(host->arena, "%s/%s%s", host->gcroots, links[i].prefix, name));
	tree_remove(runner_roots(host, name));
	rmdir(path_join(host->arena, host->gcroots, RUNNER_ROOTS)); /* fails unless it is empty */
}

void roots_forget_runner(const struct host *host, const char *name, const char *place)
{
	if (host->gcroots)
		tree_remove(path_join(host->arena, runner_roots(host, name), place));
}

/* ---- dangling ---- */

static bool is_vm(const struct host *host, const char *directory)
{
	return custody_counts(host, directory, "current");
}

/* Roots for VMs of another state directory are none of our business. */
static bool leads_nowhere(const struct host *host, const char *root)
{
	const char *target = link_read(host->arena, root),
		   *directory = target ? path_parent(host->arena, target) : "";
	return target && strcmp(path_parent(host->arena, directory), host->state_dir) == 0 &&
		!is_vm(host, directory);
}

static void add_found(const struct host *host, struct strings *found, const char *directory,
	bool (*dangles)(const struct host *, const char *))
{
	DIR *stream = opendir(directory);
	if (!stream)
		return;
	for (struct dirent *entry; (entry = readdir(stream));) {
		const char *path = path_join(host->arena, directory, entry->d_name);
		if (entry->d_name[0] != '.' && dangles(host, path))
			vec_push(host->arena, found, path);
	}
	closedir(stream);
}

/* The roots of runners do not name a state directory, but the VM's root beside them does. */
static bool runner_is_gone(const struct host *host, const char *roots)
{
	const char *name = path_base(roots), *root = path_join(host->arena, host->gcroots, name);
	return path_exists(root) ? leads_nowhere(host, root)
				 : !is_vm(host, path_join(host->arena, host->state_dir, name));
}

struct strings roots_dangling(const struct host *host)
{
	struct strings found = {0};
	if (!host->gcroots)
		return found;
	add_found(host, &found, host->gcroots, leads_nowhere);
	add_found(
		host, &found, path_join(host->arena, host->gcroots, RUNNER_ROOTS), runner_is_gone);
	if (found.n)
		qsort(found.v, found.n, sizeof *found.v, strings_compare);
	return found;
}
