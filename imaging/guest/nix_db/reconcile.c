/* SPDX-License-Identifier: MIT */
/*
 * The order of the steps, and why it is harmless to be killed between them:
 *
 *   1. The mark (db_dir/mvm-seed: which seed the database agrees with) is removed. From here on,
 *   each call performs all the following steps.
 *   2. Upper copies of packed paths, and whiteouts over them, are removed, each in one step. If the
 *   next boot uses an image that does not pack such a path, the files of its row are missing, and
 *   the row is removed then. As files are removed first, a row never describes other files than it
 *   was written for.
 *   3. The rows change, in one transaction.
 *   4. The files of removed rows are removed. Files without a row are garbage, and Nix treats them
 * as such.
 *   5. The mark is written.
 *
 * Files are moved away as a whole before they are deleted, so that a store path never exists in
 * part.
 */
#include "imaging/guest/nix_db/reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "imaging/guest/nix_db/files.h"
#include "imaging/guest/nix_db/message.h"
#include "imaging/guest/nix_db/rows.h"
#include "imaging/guest/nix_db/upper.h"

enum { NAMES_SHOWN = 20 };

struct reconciler {
	struct arena *arena;
	const struct reconcile_request *request;
	struct upper upper;
	struct database database; /* the database in db_dir, with the seed attached */
	bool kept;                /* db_dir contains a database */
};

static const char *in_db(const struct reconciler *reconciler, const char *name)
{
	return path_join(reconciler->arena, reconciler->request->db_dir, name);
}

static bool is_file(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* ---- the mark ---- */

#define MARK "mvm-seed"

/*
 * A second mark lies beside the upper layer. That layer may be in memory, or on another volume than
 * the database, and so may be lost alone.
 */
static const char *upper_mark(const struct reconciler *reconciler)
{
	const char *upper = reconciler->request->upper;
	return upper ? path_join(reconciler->arena, path_parent(reconciler->arena, upper), MARK)
		     : NULL;
}

static bool is_marked(const struct reconciler *reconciler, const char *path, const char *id)
{
	const char *mark = read_text(reconciler->arena, path);
	return mark && strcmp(mark, id) == 0;
}

static bool is_current(const struct reconciler *reconciler, const char *id)
{
	const char *beside = upper_mark(reconciler);
	bool whole =
		is_file(in_db(reconciler, "db.sqlite")) && is_file(in_db(reconciler, "schema"));
	return is_marked(reconciler, in_db(reconciler, MARK), id) &&
		(!beside || is_marked(reconciler, beside, id)) &&
		(whole || reconciler->request->layered);
}

static bool remove_mark(const struct reconciler *reconciler)
{
	return remove_file(in_db(reconciler, MARK)) && sync_directory(reconciler->request->db_dir);
}

static bool write_mark(const struct reconciler *reconciler, const char *id)
{
	const char *beside = upper_mark(reconciler);
	return (!beside ||
		       (make_directories(
				reconciler->arena, path_parent(reconciler->arena, beside)) &&
			       publish_text(reconciler->arena, beside, id))) &&
		publish_text(reconciler->arena, in_db(reconciler, MARK), id);
}

/* ---- a database that is not there yet ---- */

/* SQLite would attribute companions of the old file to the new one. */
static bool remove_companions(const struct reconciler *reconciler)
{
	static const char *const names[] = {"db.sqlite-wal", "db.sqlite-shm", "db.sqlite-journal"};
	bool ok = true;
	for (size_t i = 0; ok && i < countof(names); i++)
		ok = remove_file(in_db(reconciler, names[i]));
	return ok && sync_directory(reconciler->request->db_dir);
}

/*
 * Installs the seed where no database exists, or one without any path. Below an overlay the seed
 * exists already.
 */
static bool place_seed(struct reconciler *reconciler)
{
	const struct reconcile_request *request = reconciler->request;
	if (!remove_companions(reconciler))
		return false;
	if (request->layered)
		return remove_file(in_db(reconciler, "db.sqlite")) &&
			remove_file(in_db(reconciler, "schema"));
	return publish_copy(reconciler->arena,
		       path_join(reconciler->arena, request->seed, "db.sqlite"),
		       in_db(reconciler, "db.sqlite")) &&
		publish_text(reconciler->arena, in_db(reconciler, "schema"), SEED_SCHEMA);
}

/* Renames the database's directory to the first free name beside it. */
static bool set_aside(const struct reconciler *reconciler)
{
	const char *db_dir = reconciler->request->db_dir, *aside;
	unsigned number = 1;
	do
		aside = arena_printf(reconciler->arena, "%s.aside-%u", db_dir, number++);
	while (path_exists(aside));
	if (rename(db_dir, aside) != 0)
		return errno == ENOENT || fail("cannot set %s aside: %s", db_dir, strerror(errno));
	report("the database in %s was set aside as %s; Nix no longer knows the paths that the "
	       "guest built",
		db_dir, aside);
	return sync_directory(path_parent(reconciler->arena, db_dir));
}

static bool check_schema(const struct reconciler *reconciler)
{
	const char *path = in_db(reconciler, "schema"),
		   *schema = read_text(reconciler->arena, path);
	if (!schema || strcmp(schema, SEED_SCHEMA) == 0)
		return true;
	return fail("%s says that the database has schema \"%.20s\", but only %s, that of Nix 2.0 "
		    "and later, is supported: update mvmbuild, or Nix in the guest",
		path, schema, SEED_SCHEMA);
}

/* ---- the upper layer ---- */

static const char *store_path(const struct reconciler *reconciler, const char *name)
{
	return path_join(reconciler->arena, reconciler->request->store_dir, name);
}

/*
 * Removes the entries that hide packed paths, and lists the guest's own paths. A copy that has lost
 * the layer below is incomplete, so it belongs to neither.
 */
static bool uncover(struct reconciler *reconciler, struct strings *own)
{
	struct upper *upper = &reconciler->upper;
	if (!upper_list(upper))
		return false;
	for (size_t i = 0; i < upper->entries.n; i++) {
		const struct upper_entry *entry = &upper->entries.v[i];
		const char *path = store_path(reconciler, entry->name);
		bool packed;
		if (!rows_is_packed(&reconciler->database, path, &packed) ||
			(packed && !upper_drop(upper, entry->name)))
			return false;
		if (!packed && entry->kind == UPPER_OWN)
			vec_push(reconciler->arena, own, path);
	}
	return upper_sync(upper);
}

static bool drop_all(const struct reconciler *reconciler, const struct strings *gone)
{
	const struct upper *upper = &reconciler->upper;
	bool ok = true;
	for (size_t i = 0; upper->directory && ok && i < gone->n; i++) {
		const char *name = path_base(gone->v[i]);
		ok = !path_exists(path_join(reconciler->arena, upper->directory, name)) ||
			upper_drop(upper, name);
	}
	return ok && upper_sync(upper) && upper_empty_trash(upper);
}

/* ---- all of it ---- */

static void report_change(const struct reconciler *reconciler, const struct rows_change *change,
	const struct strings *own)
{
	report("%lld store paths are new, %zu are gone, %zu are the guest's own", change->added,
		change->gone.n, own->n);
	size_t shown = 0;
	for (size_t i = 0; i < change->gone.n; i++) {
		/* Without an upper layer, nothing belonged to the guest. */
		if (reconciler->upper.directory && shown++ < NAMES_SHOWN)
			report("  gone: %s", path_base(change->gone.v[i]));
	}
	if (shown > NAMES_SHOWN)
		report("  and %zu more", shown - NAMES_SHOWN);
}

/*
 * The seed becomes the database of a new guest. If the guest has a database, the seed is attached
 * for comparison.
 */
static bool open_database(struct reconciler *reconciler)
{
	const struct reconcile_request *request = reconciler->request;
	struct database *database = &reconciler->database;
	reconciler->kept = is_file(in_db(reconciler, "db.sqlite"));
	if (reconciler->kept) {
		bool filled;
		if (!check_schema(reconciler) ||
			!database_open(reconciler->arena, request->db_dir, database) ||
			!rows_check(database, &filled))
			return false;
		if (filled)
			return database_attach_seed(database, request->seed);
		if (!database_close(database))
			return false;
	}
	reconciler->kept = false;
	return place_seed(reconciler) && database_open_memory(reconciler->arena, database) &&
		database_attach_seed(database, request->seed);
}

static bool bring_in_line(struct reconciler *reconciler)
{
	struct strings own = {0};
	struct rows_change change = {0};
	if (!open_database(reconciler) || !uncover(reconciler, &own))
		return false;
	if (reconciler->kept && !rows_reconcile(&reconciler->database, &own, &change))
		return false;
	if (!database_close(&reconciler->database) || !drop_all(reconciler, &change.gone))
		return false;
	if (reconciler->kept)
		report_change(reconciler, &change, &own);
	return reconciler->request->layered || path_exists(in_db(reconciler, "schema")) ||
		publish_text(reconciler->arena, in_db(reconciler, "schema"), SEED_SCHEMA);
}

static bool run(struct reconciler *reconciler)
{
	const struct reconcile_request *request = reconciler->request;
	const char *id =
		read_text(reconciler->arena, path_join(reconciler->arena, request->seed, SEED_ID));
	if (!id || !*id)
		return fail("cannot read %s/" SEED_ID ": %s", request->seed, strerror(errno));
	if ((request->renew && !set_aside(reconciler)) ||
		!make_directories(reconciler->arena, request->db_dir) ||
		!upper_open(reconciler->arena, request->upper, &reconciler->upper))
		return false;
	if (!request->again && is_current(reconciler, id))
		return true;
	return remove_mark(reconciler) && bring_in_line(reconciler) && write_mark(reconciler, id);
}

bool reconcile(const struct reconcile_request *request)
{
	struct reconciler reconciler = {.arena = arena_new(), .request = request};
	bool ok = run(&reconciler);
	sqlite3_close(reconciler.database.handle);
	arena_free(reconciler.arena);
	return ok;
}
