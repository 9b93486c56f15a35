/* SPDX-License-Identifier: MIT */
#include "compiler/runner/gcroots.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "compiler/storage/storage.h"

#define HASH_LETTERS "0123456789abcdfghijklmnpqrsvwxyz"
#define NAME_LETTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-._?="

enum { HASH_LENGTH = 32 };

/*
 * The build's roots, in the staging directory; removed before a runner's direct roots are published
 * from there.
 */
#define BUILD_ROOTS "build"

/* ---- a runner's store paths ---- */

struct finder {
	struct arena *arena;
	const char *store_dir;
	struct strings found;
};

static void found_add(struct finder *finder, const char *path)
{
	if (!path_exists(path)) /* the text only looks like a store path */
		return;
	for (size_t i = 0; i < finder->found.n; i++)
		if (strcmp(finder->found.v[i], path) == 0)
			return;
	vec_push(finder->arena, &finder->found, path);
}

/* Finds the store paths (STORE/HASH-NAME) in a text. */
static void find_in(struct finder *finder, const char *text)
{
	size_t store = strlen(finder->store_dir);
	while (text && (text = strstr(text, finder->store_dir))) {
		const char *hash = text + store + 1;
		bool is_path = text[store] == '/' && strspn(hash, HASH_LETTERS) == HASH_LENGTH &&
			hash[HASH_LENGTH] == '-';
		if (is_path)
			found_add(finder,
				arena_strndup(finder->arena, text,
					store + 1 + strspn(hash, NAME_LETTERS)));
		text += store;
	}
}

static void find_in_pieces(
	struct finder *finder, const struct pieces *pieces, const char *parameters)
{
	for (size_t i = 0; i < pieces->n; i++) {
		const char *text = pieces->v[i].text;
		/* Paths in kernel parameters are in the guest. */
		if (text && !(*parameters && strstr(text, parameters)))
			find_in(finder, text);
	}
}

static void find_in_command(
	struct finder *finder, const struct command *command, const char *parameters)
{
	for (size_t i = 0; i < command->arguments.n; i++)
		find_in_pieces(finder, &command->arguments.v[i].pieces, parameters);
}

static void find_in_pairs(struct finder *finder, const struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++)
		find_in(finder, pairs->v[i].value);
}

struct strings gcroots_needed(struct arena *arena, const struct plan *plan)
{
	const struct vm *vm = plan->vm;
	struct finder finder = {.arena = arena, .store_dir = vm->store_dir};
	find_in_command(&finder, &plan->lowered.command, plan->guest.parameters);
	find_in_pieces(&finder, &plan->lowered.config.pieces, plan->guest.parameters);
	find_in(&finder, vm->host_shell);
	for (size_t i = 0; i < vm->host_path.n; i++)
		find_in(&finder, vm->host_path.v[i]);
	find_in(&finder, vm->pre_start);
	find_in(&finder, vm->extra_args_script);
	find_in_pairs(&finder, &vm->bin_scripts);
	find_in_pairs(&finder, &vm->credential_files);
	for (size_t i = 0; i < vm->volumes.n; i++)
		find_in(&finder, vm->volumes.v[i].image);
	find_in(&finder, vm->virtiofsd.package);
	for (size_t i = 0; i < vm->shares.n; i++)
		find_in(&finder, vm->shares.v[i].source);
	if (vm->system_symlink || storage_disk_on_host(vm))
		find_in(&finder, plan->system.toplevel);
	for (size_t i = 0; storage_disk_on_host(vm) && i < vm->store_paths.n; i++)
		find_in(&finder, vm->store_paths.v[i]);
	if (finder.found.n)
		qsort(finder.found.v, finder.found.n, sizeof *finder.found.v, strings_compare);
	return finder.found;
}

static void add(struct arena *arena, struct strings *to, const char *text)
{
	vec_push(arena, to, arena_strdup(arena, text));
}

/* The build reads only the requested paths and their closures; a root protects a whole closure. */
void gcroots_collect(struct arena *arena, const struct plan *plan, struct gcroots_paths *paths)
{
	const struct vm *vm = plan->vm;
	const struct strings needed = gcroots_needed(arena, plan);
	for (size_t i = 0; i < needed.n; i++)
		add(arena, &paths->needed, needed.v[i]);
	if (vm->toplevel)
		add(arena, &paths->read, vm->toplevel);
	for (size_t i = 0; i < vm->store_paths.n; i++)
		add(arena, &paths->read, vm->store_paths.v[i]);
	add(arena, &paths->stores, vm->store_dir);
}

/* ---- making roots ---- */

/* Returns the paths sorted and without duplicates. */
static struct strings unique(struct arena *arena, const struct strings *given)
{
	struct strings paths = {0};
	strings_add(arena, &paths, given->v, given->n);
	if (paths.n)
		qsort(paths.v, paths.n, sizeof *paths.v, strings_compare);
	size_t n = 0;
	for (size_t i = 0; i < paths.n; i++)
		if (n == 0 || strcmp(paths.v[n - 1], paths.v[i]) != 0)
			paths.v[n++] = paths.v[i];
	paths.n = n;
	return paths;
}

static bool roots_direct(
	const struct gcroots *roots, const char *directory, const struct strings *paths)
{
	for (size_t i = 0; i < paths->n; i++) {
		const char *link = path_join(roots->arena, directory, path_base(paths->v[i]));
		if (symlink(paths->v[i], link) != 0 && errno != EEXIST)
			return diag_error(roots->diag, STATUS_FAILED, NULL, "gcroot",
				"cannot create the link %s: %s", link, strerror(errno));
	}
	return true;
}

/*
 * Nix creates the links (root, root-2, ...) and records where they are. A single call, because it
 * protects all the paths before it creates the first link.
 */
static bool roots_indirect(
	const struct gcroots *roots, const char *directory, const struct strings *paths)
{
	struct strings argv = {0};
	vec_push(roots->arena, &argv, "nix-store");
	vec_push(roots->arena, &argv, "--realise");
	for (size_t i = 0; i < paths->n; i++)
		vec_push(roots->arena, &argv, paths->v[i]);
	vec_push(roots->arena, &argv, "--add-root");
	vec_push(roots->arena, &argv, path_join(roots->arena, directory, "root"));
	vec_push(roots->arena, &argv, NULL);
	struct process_result ran;
	if (paths->n == 0)
		return true;
	if (!process_run(roots->arena, roots->diag, argv.v, &ran))
		return false;
	return ran.exit_status == 0 ||
		diag_error(roots->diag, STATUS_FAILED, NULL, "gcroot",
			"nix-store cannot protect the VM's inputs: %s", ran.error.p);
}

static bool roots_make(
	const struct gcroots *roots, const char *directory, const struct strings *paths)
{
	return (roots->direct ? roots_direct : roots_indirect)(roots, directory, paths);
}

/* ---- a directory of direct roots ---- */

static bool is_our_root(const struct gcroots *roots, const char *link, const char *name)
{
	char target[4096];
	ssize_t length = readlink(link, target, sizeof target - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	for (size_t i = 0; i < roots->paths.stores.n; i++)
		if (strcmp(target, path_join(roots->arena, roots->paths.stores.v[i], name)) == 0)
			return true;
	return false;
}

/* The directory is replaced as a whole, so it must contain nothing but our roots. */
static bool check_directory(const struct gcroots *roots, const char *directory)
{
	DIR *stream = opendir(directory);
	if (!stream)
		return errno == ENOENT ||
			diag_error(roots->diag, STATUS_FAILED, NULL, "gcroot", "cannot read %s: %s",
				directory, strerror(errno));
	const char *foreign = NULL;
	for (struct dirent *entry; (entry = directory_next(stream, directory));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			!is_our_root(roots, path_join(roots->arena, directory, entry->d_name),
				entry->d_name))
			foreign = arena_strdup(roots->arena, entry->d_name);
	closedir(stream);
	return !foreign ||
		diag_error(roots->diag, STATUS_FAILED, NULL, "gcroot",
			"%s contains \"%s\", which mvmbuild did not create; --gcroot needs a "
			"directory for this output alone",
			directory, foreign);
}

static void warn_when_outside(const struct gcroots *roots, const char *directory)
{
	const char *state = getenv("NIX_STATE_DIR");
	const char *top =
		path_join(roots->arena, state && *state ? state : "/nix/var/nix", "gcroots");
	char *real_top = realpath(top, NULL),
	     *real = realpath(path_parent(roots->arena, directory), NULL);
	size_t length = real_top ? strlen(real_top) : 0;
	if (!real_top || !real || strncmp(real, real_top, length) != 0 ||
		(real[length] != '/' && real[length] != '\0'))
		diag_warning(roots->diag, NULL, "gcroot",
			"%s is not below %s: Nix does not look for roots there", directory, top);
	free(real_top);
	free(real);
}

/* ---- the steps ---- */

bool gcroots_begin(struct arena *arena, struct diag *diag, const struct gcroots_paths *paths,
	const char *output, const char *directory, struct gcroots *roots)
{
	*roots = (struct gcroots){.arena = arena, .diag = diag, .direct = directory};
	roots->paths.needed = unique(arena, &paths->needed);
	roots->paths.stores = unique(arena, &paths->stores);
	struct strings all = roots->paths.needed;
	strings_add(arena, &all, paths->read.v, paths->read.n);
	roots->paths.read = unique(arena, &all);
	const char *target = directory
		? path_absolute(arena, directory)
		: arena_printf(arena, "%s.gcroots", path_absolute(arena, output));
	if (directory &&
		(!check_directory(roots, target) ||
			!directory_make(diag, path_parent(arena, target), 0755)))
		return false;
	if (directory)
		warn_when_outside(roots, target);
	if (!staging_begin(arena, diag, target, &roots->staging))
		return false;
	roots->staging.aside = true;
	const char *build = path_join(arena, roots->staging.directory, BUILD_ROOTS);
	if (directory_make(diag, build, 0755) && roots_make(roots, build, &roots->paths.read))
		return true;
	gcroots_abandon(roots);
	return false;
}

bool gcroots_publish(struct gcroots *roots, const char *links)
{
	if (roots->direct)
		links = roots->staging.directory;
	bool ok = directory_make(roots->diag, links, 0755) &&
		roots_make(roots, links, &roots->paths.needed);
	if (ok && roots->direct) {
		tree_remove(path_join(roots->arena, links, BUILD_ROOTS));
		return staging_publish(roots->diag, &roots->staging);
	}
	gcroots_abandon(roots);
	return ok;
}

void gcroots_abandon(struct gcroots *roots)
{
	staging_abandon(&roots->staging);
}
