/* SPDX-License-Identifier: MIT */
#include "compiler/images/nix_images.h"

#include <openssl/sha.h>
#include <string.h>

#include "base/file.h"
#include "imaging/store/database.h"
#include "imaging/store/registration.h"

enum { DATABASE_BYTES = 1 << 30 };

/* What mvm-nix-db reads in the guest: imaging/guest/nix_db/reconcile.h. */
#define SEED STAGE1_SCRATCH "/nix-db"

struct maker {
	struct arena *arena;
	struct diag *diag;
	const struct plan *plan;
	const char *scratch;
	struct stage1_steps *steps;
};

/* ---- files ---- */

/* The directory of db.sqlite and schema; NULL after an error. */
static const char *make_database(const struct maker *maker)
{
	const char *directory = path_join(maker->arena, maker->scratch, "db");
	bool ok = directory_make(maker->diag, directory, 0755) &&
		nix_db_write(maker->diag, directory, &maker->plan->closure, maker->plan->time);
	return ok ? directory : NULL;
}

/* The same database has the same id. */
static bool make_id(const struct maker *maker, const char *directory)
{
	struct bytes database;
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct arena *arena = arena_new();
	bool ok = file_read(arena, maker->diag, path_join(arena, directory, "db.sqlite"),
		DATABASE_BYTES, &database);
	if (ok)
		SHA256((const unsigned char *)database.p, database.n, digest);
	ok = ok &&
		file_write(maker->diag, path_join(arena, directory, "id"),
			arena_hex(arena, digest, sizeof digest), 2 * sizeof digest, 0644);
	arena_free(arena);
	return ok;
}

/* ---- steps ---- */

static void add_step(const struct maker *maker, struct stage1_step step)
{
	vec_push(maker->arena, maker->steps, step);
}

static void add_file(const struct maker *maker, const char *target, const char *source)
{
	add_step(maker, (struct stage1_step){.kind = STAGE1_FILE, .file = {target, source, 0644}});
}

static void add_files(const struct maker *maker, const char *target, const char *source,
	const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_file(maker, path_join(maker->arena, target, names[i]),
			path_join(maker->arena, source, names[i]));
}

static void add_directory(const struct maker *maker, const char *path)
{
	add_step(maker,
		(struct stage1_step){.kind = STAGE1_DIRECTORY, .directory = {path, 0755, 0, 0}});
}

static void add_mount(const struct maker *maker, const char *source, const char *target,
	const char *type, const char *options)
{
	const struct stage1_mount mount = {.source_kind = STAGE1_NAME,
		.source = source,
		.target = target,
		.type = type,
		.options = options};
	add_step(maker, (struct stage1_step){.kind = STAGE1_MOUNT, .mount = mount});
}

/* `database` is the directory of the one to be brought in line. */
static void add_reconcile(
	const struct maker *maker, const char *seed, const char *database, bool layered)
{
	struct arena *arena = maker->arena;
	const struct plan *plan = maker->plan;
	struct strings *arguments = arena_alloc(arena, sizeof *arguments);
	const char *const always[] = {"reconcile", "--seed", seed, "--store", plan->vm->store_dir,
		"--db", database, "--state", plan->storage->nix.dir};
	strings_add(arena, arguments, always, countof(always));
	if (plan->storage->writable) {
		vec_push(arena, arguments, "--upper");
		vec_push(arena, arguments, plan->storage->overlay.upper);
	}
	if (layered)
		vec_push(arena, arguments, "--layered");
	add_step(maker,
		(struct stage1_step){.kind = STAGE1_RUN, .run = {NIX_DB_PROGRAM, arguments}});
}

static bool add_kept_database(const struct maker *maker)
{
	static const char *const names[] = {"db.sqlite", "schema", "id"};
	const char *source = make_database(maker);
	if (!source || !make_id(maker, source))
		return false;
	add_files(maker, SEED, source, names, countof(names));
	add_reconcile(
		maker, SEED, path_join(maker->arena, maker->plan->storage->nix.dir, "db"), false);
	return true;
}

/* The host's database lies below; what the guest writes lies above. */
static void add_layers(const struct maker *maker)
{
	struct arena *arena = maker->arena;
	const struct nix_state *nix = &maker->plan->storage->nix;
	const char *upper = path_join(arena, nix->layer, "upper"),
		   *work = path_join(arena, nix->layer, "work");
	add_directory(maker, upper);
	add_directory(maker, work);
	add_reconcile(maker, nix->lower, upper, true);
	add_mount(maker, "overlay", path_join(arena, nix->dir, "db"), "overlay",
		overlay_options(arena, nix->lower, upper, work, nix->layer_share));
}

bool nix_images_before_store(struct arena *arena, struct diag *diag, const struct plan *plan,
	const char *scratch, struct stage1_steps *steps)
{
	const struct maker maker = {arena, diag, plan, scratch, steps};
	const struct nix_state *nix = &plan->storage->nix;
	if (nix->bound) {
		add_directory(&maker, nix->bound);
		add_mount(&maker, nix->bound, nix->dir, "none", "bind");
	}
	if (nix->database == NIX_DATABASE_HOST_OVERLAY)
		add_layers(&maker);
	return nix->database != NIX_DATABASE_PREBUILT || !nix->kept || add_kept_database(&maker);
}

static bool add_fresh_database(const struct maker *maker)
{
	static const char *const names[] = {"db.sqlite", "schema"};
	const char *source = make_database(maker);
	if (source)
		add_files(maker, path_join(maker->arena, maker->plan->storage->nix.dir, "db"),
			source, names, countof(names));
	return source != NULL;
}

static bool add_registration(const struct maker *maker)
{
	const char *source = path_join(maker->arena, maker->scratch, "registration");
	if (!nix_registration_write(maker->diag, source, &maker->plan->closure))
		return false;
	add_file(maker, nix_registration_path(maker->arena, &maker->plan->storage->nix), source);
	return true;
}

bool nix_images_after_store(struct arena *arena, struct diag *diag, const struct plan *plan,
	const char *scratch, struct stage1_steps *steps)
{
	const struct maker maker = {arena, diag, plan, scratch, steps};
	const struct nix_state *nix = &plan->storage->nix;
	if (nix->database == NIX_DATABASE_PREBUILT && !nix->kept && !add_fresh_database(&maker))
		return false;
	if (nix->database == NIX_DATABASE_REGISTRATION && !add_registration(&maker))
		return false;
	for (size_t i = 0; i < plan->roots.n; i++)
		add_step(&maker,
			(struct stage1_step){.kind = STAGE1_LINK, .link = plan->roots.v[i]});
	return true;
}
