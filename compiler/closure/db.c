/* SPDX-License-Identifier: MIT */
/*
 * db: reads Nix's own database while Nix may be writing to it. A single read transaction sees a
 * consistent state, including the write-ahead log.
 *
 * To read a database that has a log, SQLite needs the log's index (db.sqlite-shm); it creates the
 * file if it is missing and leaves it behind. If the log is empty, we therefore open the database
 * as "immutable" (no log, no locks) and check afterwards that nobody wrote to it meanwhile: this
 * leaves no files behind and needs no write permission for the directory. If the log is not empty,
 * its index exists, because the writer created it.
 */
#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ending.h"
#include "base/sqlite_file.h"
#include "compiler/closure/source.h"

enum { QUIET_TRIES = 5, CLOCK_STEP_MS = 20 };

/* The only schema since Nix 1.8; the guest's database uses it, too (imaging/store/database.h). */
static const char known_schema[] = "10";

enum statement { INFO, REFERENCES, ANY_PATH, NSTATEMENTS };

static const char *const statement_texts[NSTATEMENTS] = {
	[INFO] = "select id, hash, deriver, narSize, ultimate, sigs, ca from ValidPaths where path "
		 "= ?",
	[REFERENCES] = "select reference, path from Refs left join ValidPaths on id = reference "
		       "where referrer = ?",
	[ANY_PATH] = "select path from ValidPaths limit 1",
};

struct database {
	struct closure_table *table;
	const char *file;
	unsigned busy_ms;
	sqlite3 *handle;
	sqlite3_stmt *statements[NSTATEMENTS];
};

static void database_close(struct database *database)
{
	for (size_t i = 0; i < NSTATEMENTS; i++)
		sqlite3_finalize(database->statements[i]);
	memset(database->statements, 0, sizeof database->statements);
	sqlite3_close(database->handle);
	database->handle = NULL;
}

/* Maps SQLite's last error to a result, and reports it unless another source can be tried. */
static enum source_result database_failed(struct database *database)
{
	struct closure_table *table = database->table;
	const char *message = database->handle ? sqlite3_errmsg(database->handle) : "out of memory";
	const int system_error = database->handle ? sqlite3_system_errno(database->handle) : 0;
	switch (database->handle ? sqlite3_errcode(database->handle) & 0xff : SQLITE_NOMEM) {
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		/* We may not read this database; another source may still have the information. */
		if (system_error)
			ending_unless_absent(database->file, system_error);
		return SOURCE_ABSENT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		closure_error(table, NULL, "nix-database-locked",
			"the Nix database %s is locked by another program; try again when it is "
			"done, or name a `closure` file",
			database->file);
		return SOURCE_BROKEN;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		closure_error(table, NULL, "nix-database-corrupt",
			"the Nix database %s is corrupt: %s; check it with `nix-store --verify`, "
			"or name a `closure` file",
			database->file, message);
		return SOURCE_BROKEN;
	default:
		closure_error(table, NULL, "nix-database", "cannot read the Nix database %s: %s",
			database->file, message);
		return SOURCE_BROKEN;
	}
}

static enum source_result database_corrupt(
	struct database *database, const char *path, const char *what)
{
	closure_error(database->table, NULL, "nix-database-corrupt",
		"the Nix database %s is corrupt: %s %s; check it with `nix-store --verify`, or "
		"name a `closure` file",
		database->file, path, what);
	return SOURCE_BROKEN;
}

/* ---- reading ---- */

static const char *column_text(const struct database *database, sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);
	return text && *text ? arena_strdup(database->table->arena, text) : NULL;
}

static enum source_result read_references(
	struct database *database, int64_t id, struct store_path *info)
{
	struct closure_table *table = database->table;
	sqlite3_stmt *statement = database->statements[REFERENCES];
	VEC(size_t) refs = {0};
	sqlite3_bind_int64(statement, 1, id);
	int step;
	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *path = (const char *)sqlite3_column_text(statement, 1);
		if (!path)
			return database_corrupt(
				database, info->path, "refers to a row that does not exist");
		size_t entry = closure_table_add(table, &(struct pos){.file = database->file},
			"reference", path, strlen(path));
		if (entry == SIZE_MAX)
			return SOURCE_BROKEN;
		vec_push(table->arena, &refs, entry);
	}
	if (step != SQLITE_DONE)
		return database_failed(database);
	sqlite3_reset(statement);
	info->refs = refs.v;
	info->nrefs = refs.n;
	return SOURCE_READ;
}

static enum source_result read_row(struct database *database, size_t entry)
{
	struct closure_table *table = database->table;
	sqlite3_stmt *row = database->statements[INFO];
	const char *path = table->entries.v[entry].info.path,
		   *hash = (const char *)sqlite3_column_text(row, 1);
	struct store_path info = {
		.path = path,
		.nar_hash = closure_table_hash(
			table, &(struct pos){.file = database->file}, path, hash ? hash : ""),
		.deriver = column_text(database, row, 2),
		.nar_size = sqlite3_column_type(row, 3) == SQLITE_NULL
			? -1
			: sqlite3_column_int64(row, 3),
		.ultimate = sqlite3_column_int(row, 4) == 1,
		.sigs = column_text(database, row, 5),
		.ca = column_text(database, row, 6),
	};
	if (!info.nar_hash)
		return SOURCE_BROKEN;
	enum source_result result = read_references(database, sqlite3_column_int64(row, 0), &info);
	if (result == SOURCE_READ)
		closure_table_describe(table, entry, &info, NULL);
	return result;
}

/* A path without a row stays undescribed; closure.c reports it. */
static enum source_result read_path(struct database *database, size_t entry)
{
	sqlite3_stmt *statement = database->statements[INFO];
	sqlite3_bind_text(
		statement, 1, database->table->entries.v[entry].info.path, -1, SQLITE_STATIC);
	int step = sqlite3_step(statement);
	enum source_result result = step == SQLITE_ROW ? read_row(database, entry)
		: step == SQLITE_DONE                  ? SOURCE_READ
						       : database_failed(database);
	sqlite3_reset(statement);
	return result;
}

/* A database that is empty or belongs to another store cannot describe our paths. */
static enum source_result check_store(struct database *database)
{
	sqlite3_stmt *statement = database->statements[ANY_PATH];
	int step = sqlite3_step(statement);
	if (step != SQLITE_ROW)
		return step == SQLITE_DONE ? SOURCE_ABSENT : database_failed(database);
	const char *path = (const char *)sqlite3_column_text(statement, 0);
	bool ours = path && store_path_length(database->table->store_dir, path, strlen(path));
	sqlite3_reset(statement);
	return ours ? SOURCE_READ : SOURCE_ABSENT;
}

static enum source_result database_read(struct database *database)
{
	/* The first statement inside the transaction takes the snapshot that all others read. */
	if (sqlite3_exec(database->handle, "begin", NULL, NULL, NULL) != SQLITE_OK)
		return database_failed(database);
	for (size_t i = 0; i < NSTATEMENTS; i++)
		if (sqlite3_prepare_v2(database->handle, statement_texts[i], -1,
			    &database->statements[i], NULL) != SQLITE_OK)
			return database_failed(database);
	enum source_result result = check_store(database);
	for (size_t i = 0; result == SOURCE_READ && i < database->table->entries.n; i++)
		result = read_path(database, i);
	return result;
}

/* ---- opening ---- */

/* `file` as a URI: "immutable" can only be requested in a URI. */
static const char *database_uri(struct arena *arena, const char *file, const char *options)
{
	BUF_CLEANUP struct buf uri = {0};
	buf_puts(&uri, "file:");
	for (const char *c = file; *c; c++)
		buf_printf(&uri, strchr("%?#", *c) ? "%%%02x" : "%c", *c);
	buf_puts(&uri, options);
	return arena_strdup(arena, buf_text(&uri));
}

static enum source_result database_load(struct database *database, const char *options)
{
	const char *uri = database_uri(database->table->arena, database->file, options);
	int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
		SQLITE_OPEN_EXRESCODE;
	enum source_result result;
	if (sqlite3_open_v2(uri, &database->handle, flags, NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(database->handle, (int)database->busy_ms);
		result = database_read(database);
	} else {
		result = database_failed(database);
	}
	database_close(database);
	return result;
}

/* File times advance in steps of a few ms: a second write within the same step would not show. */
static void wait_for_older(const struct stat *st)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t age_ms = (int64_t)(now.tv_sec - st->st_mtim.tv_sec) * 1000 +
		(now.tv_nsec - st->st_mtim.tv_nsec) / 1000000;
	if (age_ms >= 0 && age_ms < CLOCK_STEP_MS)
		usleep((useconds_t)(CLOCK_STEP_MS - age_ms) * 1000);
}

/* Reads without locks and without messages: an error may only be a half-finished write. */
static enum source_result load_silently(struct database *database)
{
	struct closure_table *table = database->table;
	struct diag *diag = table->diag;
	size_t errors = table->errors;
	table->diag = diag_new(table->arena);
	enum source_result result = database_load(database, "?immutable=1");
	table->diag = diag;
	table->errors = errors;
	return result;
}

/* Returns false if there is a log, or if every attempt was disturbed by a writer. */
static bool load_quiet(struct database *database, enum source_result *result)
{
	for (int i = 0; i < QUIET_TRIES; i++) {
		struct stat before;
		if (stat(database->file, &before) != 0)
			return false;
		wait_for_older(&before);
		if (sqlite_has_log(database->table->arena, database->file) ||
			!sqlite_is_unchanged(database->file, &before))
			return false;
		*result = load_silently(database);
		bool quiet = sqlite_is_unchanged(database->file, &before);
		if (quiet && *result == SOURCE_READ)
			return true;
		closure_table_clear(database->table);
		if (quiet && *result == SOURCE_BROKEN)
			*result = database_load(database, "?immutable=1");
		if (quiet)
			return true;
	}
	return false;
}

static bool check_schema(struct closure_table *table, const char *directory, const char *file)
{
	const char *path = path_join(table->arena, directory, "schema");
	if (!path_exists(path))
		return closure_error(table, NULL, "nix-database-schema",
			"the Nix database %s has no schema file beside it; name a `closure` file",
			file);
	struct bytes schema;
	if (!file_read(table->arena, table->diag, path, 1 << 20, &schema)) {
		table->errors++;
		return false;
	}
	if (schema.n == sizeof known_schema - 1 && memcmp(schema.p, known_schema, schema.n) == 0)
		return true;
	return closure_error(table, NULL, "nix-database-schema",
		"the Nix database %s has schema \"%.*s\", but mvmbuild knows only \"%s\"; update "
		"mvmbuild, or name a `closure` file",
		file, schema.n < 20 ? (int)schema.n : 20, schema.p, known_schema);
}

enum source_result closure_db_load(
	struct closure_table *table, const char *state_dir, unsigned busy_ms)
{
	const char *directory = path_join(table->arena, state_dir, "db"),
		   *file = path_join(table->arena, directory, "db.sqlite");
	struct database database = {.table = table, .file = file, .busy_ms = busy_ms};
	if (access(file, R_OK) != 0) {
		if (errno == ENOENT || errno == ENOTDIR || errno == EACCES)
			return SOURCE_ABSENT;
		closure_error(table, NULL, "nix-database", "cannot read the Nix database %s: %s",
			file, strerror(errno));
		return SOURCE_BROKEN;
	}
	if (!check_schema(table, directory, file))
		return SOURCE_BROKEN;
	table->source = arena_printf(table->arena, "the Nix database %s", file);
	enum source_result result;
	return load_quiet(&database, &result) ? result : database_load(&database, "");
}
