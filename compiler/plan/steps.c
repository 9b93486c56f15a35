/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "compiler/plan/planner.h"
#include "imaging/store/store_root.h"

/* The directory that mvm-nix-db reads in the guest: imaging/guest/nix_db/reconcile.h. */
#define SEED STAGE1_SCRATCH "/nix-db"

/* ---- steps ---- */

static void add(struct planner *planner, struct stage1_step step)
{
	vec_push(planner->arena, &planner->plan->steps, step);
}

/* A file's number is the number of steps before it, without STAGE1_GROW. */
static size_t next_number(const struct stage1_steps *steps)
{
	size_t n = 0;
	for (size_t i = 0; i < steps->n; i++)
		n += steps->v[i].kind != STAGE1_GROW;
	return n;
}

/* `source` is a name in the scratch directory of compiler/images/nix_images.c. */
static void add_file(struct planner *planner, const char *target, const char *source)
{
	struct plan *plan = planner->plan;
	const char *file =
		arena_printf(planner->arena, STAGE1_FILES "%zu", next_number(&plan->steps));
	vec_push(planner->arena, &plan->contents, (struct stage1_content){file, source});
	add(planner, (struct stage1_step){.kind = STAGE1_FILE, .file = {file, target, 0644}});
}

static void add_files(
	struct planner *planner, const char *directory, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_file(planner, path_join(planner->arena, directory, names[i]),
			path_join(planner->arena, PLAN_DATABASE, names[i]));
}

static void add_directory(struct planner *planner, const char *path, unsigned mode, unsigned group)
{
	const struct stage1_directory directory = {path, mode, 0, group};
	add(planner, (struct stage1_step){.kind = STAGE1_DIRECTORY, .directory = directory});
}

static void add_mount(struct planner *planner, const char *source, const char *target,
	const char *type, const char *options)
{
	const struct stage1_mount mount = {
		.source = source, .target = target, .type = type, .options = options};
	add(planner, (struct stage1_step){.kind = STAGE1_MOUNT, .mount = mount});
}

static void add_planned_mount(struct planner *planner, const struct guest_mount *mount)
{
	add(planner, (struct stage1_step){.kind = STAGE1_MOUNT, .mount = mount->stage1});
	if (mount->grows)
		add(planner,
			(struct stage1_step){.kind = STAGE1_GROW, .grow = {mount->stage1.target}});
}

static void add_link(struct planner *planner, const char *path, const char *target)
{
	add(planner, (struct stage1_step){.kind = STAGE1_LINK, .link = {path, target}});
}

/* ---- Nix's database ---- */

/* Merges the database at `seed` into the one in the directory `database`. */
static void add_reconcile(
	struct planner *planner, const char *seed, const char *database, bool layered)
{
	struct arena *arena = planner->arena;
	const struct plan *plan = planner->plan;
	const struct storage *storage = plan->storage;
	struct strings arguments = {0};
	const char *const always[] = {NIX_DB_PROGRAM, "reconcile", "--seed", seed, "--store",
		plan->vm->store_dir, "--db", database, "--state", storage->nix.dir};
	strings_add(arena, &arguments, always, countof(always));
	if (storage->writable)
		strings_add(arena, &arguments,
			(const char *const[]){"--upper", storage->overlay.upper}, 2);
	if (layered)
		vec_push(arena, &arguments, "--layered");
	vec_push(arena, &arguments, NULL);
	const struct stage1_run run = {STAGE1_PROGRAMS NIX_DB_PROGRAM, arguments.v};
	add(planner, (struct stage1_step){.kind = STAGE1_RUN, .run = run});
}

static void add_kept_database(struct planner *planner)
{
	static const char *const names[] = {"db.sqlite", "schema", "id"};
	const char *database = path_join(planner->arena, planner->plan->storage->nix.dir, "db");
	add_files(planner, SEED, names, countof(names));
	add_reconcile(planner, SEED, database, false);
}

/* The host's database is the lower layer; the guest writes to the upper one. */
static void add_database_layers(struct planner *planner)
{
	struct arena *arena = planner->arena;
	const struct nix_state *nix = &planner->plan->storage->nix;
	const char *upper = path_join(arena, nix->layer, "upper"),
		   *work = path_join(arena, nix->layer, "work");
	add_directory(planner, upper, 0755, 0);
	add_directory(planner, work, 0755, 0);
	add_reconcile(planner, nix->lower, upper, true);
	add_mount(planner, "overlay", path_join(arena, nix->dir, "db"), "overlay",
		overlay_options(arena, nix->lower, upper, work, nix->layer_share));
}

/* Steps that must precede the overlay over the store. */
static void add_database(struct planner *planner)
{
	const struct nix_state *nix = &planner->plan->storage->nix;
	if (nix->bound) {
		add_directory(planner, nix->bound, 0755, 0);
		add_mount(planner, nix->bound, nix->dir, "none", "bind");
	}
	if (nix->database == NIX_DATABASE_HOST_OVERLAY)
		add_database_layers(planner);
	if (nix->database == NIX_DATABASE_PREBUILT && nix->kept)
		add_kept_database(planner);
}

/*
 * The files of a database that is new at each boot, or the registration from which the guest's Nix
 * makes one.
 */
static void add_fresh_database(struct planner *planner)
{
	static const char *const names[] = {"db.sqlite", "schema"};
	struct arena *arena = planner->arena;
	const struct nix_state *nix = &planner->plan->storage->nix;
	if (nix->database == NIX_DATABASE_PREBUILT && !nix->kept)
		add_files(planner, path_join(arena, nix->dir, "db"), names, countof(names));
	if (nix->database == NIX_DATABASE_REGISTRATION)
		add_file(planner, nix_registration_path(arena, nix), PLAN_REGISTRATION);
}

/*
 * With a database, the guest's Nix would collect paths without a root, such as the running system.
 */
static void add_roots(struct planner *planner)
{
	struct arena *arena = planner->arena;
	const struct plan *plan = planner->plan;
	const struct nix_state *nix = &plan->storage->nix;
	if (nix->database == NIX_DATABASE_NONE)
		return;
	add_link(planner, plan->system.toplevel,
		arena_printf(arena, "%s/gcroots/mvm-system", nix->dir));
	for (size_t i = 0; i < plan->vm->store_paths.n; i++)
		add_link(planner, plan->vm->store_paths.v[i],
			arena_printf(arena, "%s/gcroots/mvm-path-%zu", nix->dir, i));
}

/* ---- the root ---- */

/* The overlay's root directory has the mode and owner of its upper layer. */
static void add_root_layers(struct planner *planner)
{
	const struct root_owner *root = &planner->plan->system.root;
	const struct stage1_directory upper = {ROOT_UPPER, root->mode, root->uid, root->gid};
	add(planner, (struct stage1_step){.kind = STAGE1_DIRECTORY, .directory = upper});
	add_directory(planner, ROOT_WORK, 0755, 0);
}

/* ---- the whole plan ---- */

/* The store disk is the first disk. */
static void add_verity(struct planner *planner)
{
	const struct disk *disk = &planner->plan->guest.disks[0];
	const struct stage1_verity verity = {
		.is_disk = disk->by_serial, .source = disk->source, .name = STORE_MAPPED};
	add(planner, (struct stage1_step){.kind = STAGE1_VERITY, .verity = verity});
}

void plan_steps(struct planner *planner)
{
	const struct plan *plan = planner->plan;
	const struct store_overlay *overlay = &plan->storage->overlay;
	const bool writable = plan->storage->writable;
	const size_t below = plan->mounts.n - writable; /* the store's overlay is the last mount */
	if (!plan->own_stage1)
		return;
	if (plan->vm->store_disk.verity)
		add_verity(planner);
	for (size_t i = 0; i < below; i++) {
		if (storage_is_root_overlay(&plan->mounts.v[i].stage1))
			add_root_layers(planner);
		add_planned_mount(planner, &plan->mounts.v[i]);
	}
	if (writable) {
		/*
		 * The upper layer's root becomes the store directory, with the mode and group that
		 * Nix expects.
		 */
		add_directory(planner, overlay->upper, STORE_ROOT_MODE, STORE_ROOT_GID);
		add_directory(planner, overlay->work, 0755, 0);
	}
	add_database(planner);
	if (writable)
		add_planned_mount(planner, &plan->mounts.v[below]);
	add_fresh_database(planner);
	add_roots(planner);
}
