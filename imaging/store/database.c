/* SPDX-License-Identifier: MIT */
/*
 * Nix's schema 10 (nix: src/libstore/schema.sql). The journal mode must be a rollback journal: a
 * Nix with `use-sqlite-wal = false` cannot open a database in WAL mode, whereas any other Nix
 * converts it to WAL.
 */
#include "imaging/store/database.h"

#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "imaging/store/derivation.h"

/* Nix takes "10\n" for a corrupt schema file. */
static const char schema_version[] = {'1', '0'};

/* Settings whose defaults depend on how the library was built. They come before the first table. */
static const char settings[] =
	"pragma page_size = 4096; pragma encoding = 'UTF-8'; pragma auto_vacuum = none; pragma "
	"journal_mode = off;"
	"pragma synchronous = off; pragma locking_mode = exclusive; pragma foreign_keys = off;"
	"pragma secure_delete = off; pragma temp_store = memory; pragma mmap_size = 0;";

static const char tables[] =
	"create table ValidPaths (\n"
	"    id               integer primary key autoincrement not null,\n"
	"    path             text unique not null,\n"
	"    hash             text not null, -- base16 representation\n"
	"    registrationTime integer not null,\n"
	"    deriver          text,\n"
	"    narSize          integer,\n"
	"    ultimate         integer, -- null implies \"false\"\n"
	"    sigs             text, -- space-separated\n"
	"    ca               text -- if not null, an assertion that the path is "
	"content-addressed; see ValidPathInfo\n"
	");\n"
	"create table Refs (\n"
	"    referrer  integer not null,\n"
	"    reference integer not null,\n"
	"    primary key (referrer, reference),\n"
	"    foreign key (referrer) references ValidPaths(id) on delete cascade,\n"
	"    foreign key (reference) references ValidPaths(id) on delete restrict\n"
	");\n"
	"create table DerivationOutputs (\n"
	"    drv  integer not null,\n"
	"    id   text not null, -- symbolic output id, usually \"out\"\n"
	"    path text not null,\n"
	"    primary key (drv, id),\n"
	"    foreign key (drv) references ValidPaths(id) on delete cascade\n"
	");\n";

/*
 * Building an index is cheaper once its rows exist. IndexReferrer, which old Nix has and new Nix
 * drops, duplicates the primary key of Refs.
 */
static const char indices[] =
	"create index IndexReference on Refs(reference);\n"
	"create index IndexDerivationOutputs on DerivationOutputs(path);\n"
	"create trigger DeleteSelfRefs before delete on ValidPaths\n"
	"  begin\n"
	"    delete from Refs where referrer = old.id and reference = old.id;\n"
	"  end;\n";

struct writer {
	struct diag *diag;
	const struct closure *closure;
	const char *path; /* of db.sqlite */
	uint32_t registration_time;
	sqlite3 *db;
};

static bool failed(const struct writer *writer)
{
	return diag_error(writer->diag, STATUS_FAILED, NULL, "unwritable-file",
		"cannot write %s: %s", writer->path, sqlite3_errmsg(writer->db));
}

static bool execute(const struct writer *writer, const char *sql)
{
	return sqlite3_exec(writer->db, sql, NULL, NULL, NULL) == SQLITE_OK || failed(writer);
}

static void statement_cleanup(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}
#define STATEMENT_CLEANUP __attribute__((cleanup(statement_cleanup)))

/* NULL with an error on failure. */
static sqlite3_stmt *prepare(const struct writer *writer, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(writer->db, sql, -1, &statement, NULL) != SQLITE_OK)
		failed(writer);
	return statement;
}

static bool insert(const struct writer *writer, sqlite3_stmt *statement)
{
	bool done = sqlite3_step(statement) == SQLITE_DONE;
	return (sqlite3_reset(statement) == SQLITE_OK && done) || failed(writer);
}

/* Returns the id of closure->v[index]: ids count from 1 in the closure's order. */
static sqlite3_int64 row_id(size_t index)
{
	return (sqlite3_int64)index + 1;
}

static void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
	if (text && *text)
		sqlite3_bind_text(statement, column, text, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(statement, column);
}

static bool insert_path(const struct writer *writer, sqlite3_stmt *statement, size_t index)
{
	const struct store_path *path = &writer->closure->v[index];
	char hash[sizeof "sha256:" + 64] = "sha256:";
	memcpy(hash + strlen(hash), path->nar_hash, 65);
	sqlite3_bind_int64(statement, 1, row_id(index));
	bind_text(statement, 2, path->path);
	bind_text(statement, 3, hash);
	sqlite3_bind_int64(statement, 4, writer->registration_time);
	bind_text(statement, 5, path->deriver);
	if (path->nar_size >= 0)
		sqlite3_bind_int64(statement, 6, path->nar_size);
	else
		sqlite3_bind_null(statement, 6);
	if (path->ultimate)
		sqlite3_bind_int(statement, 7, 1);
	else
		sqlite3_bind_null(statement, 7);
	bind_text(statement, 8, path->sigs);
	bind_text(statement, 9, path->ca);
	return insert(writer, statement);
}

static bool insert_paths(const struct writer *writer)
{
	STATEMENT_CLEANUP sqlite3_stmt *statement = prepare(writer,
		"insert into ValidPaths (id, path, hash, registrationTime, deriver, narSize, "
		"ultimate, sigs, ca)"
		" values (?, ?, ?, ?, ?, ?, ?, ?, ?)");
	if (!statement)
		return false;
	for (size_t i = 0; i < writer->closure->n; i++)
		if (!insert_path(writer, statement, i))
			return false;
	return true;
}

static bool insert_references(const struct writer *writer)
{
	STATEMENT_CLEANUP sqlite3_stmt *statement =
		prepare(writer, "insert into Refs (referrer, reference) values (?, ?)");
	if (!statement)
		return false;
	for (size_t i = 0; i < writer->closure->n; i++) {
		const struct store_path *path = &writer->closure->v[i];
		sqlite3_bind_int64(statement, 1, row_id(i));
		for (size_t j = 0; j < path->nrefs; j++) {
			sqlite3_bind_int64(statement, 2, row_id(path->refs[j]));
			if (!insert(writer, statement))
				return false;
		}
	}
	return true;
}

static bool is_derivation(const struct store_path *path)
{
	size_t length = strlen(path->path);
	return length > 4 && strcmp(path->path + length - 4, ".drv") == 0;
}

static bool insert_outputs_of(
	const struct writer *writer, struct arena *arena, sqlite3_stmt *statement, size_t index)
{
	struct derivation_outputs outputs;
	if (!derivation_read_outputs(arena, writer->diag, writer->closure->v[index].path, &outputs))
		return false;
	sqlite3_bind_int64(statement, 1, row_id(index));
	for (size_t i = 0; i < outputs.n; i++) {
		if (!*outputs.v[i].path)
			continue;
		bind_text(statement, 2, outputs.v[i].name);
		bind_text(statement, 3, outputs.v[i].path);
		if (!insert(writer, statement))
			return false;
	}
	return true;
}

static bool insert_outputs(const struct writer *writer)
{
	STATEMENT_CLEANUP sqlite3_stmt *statement =
		prepare(writer, "insert into DerivationOutputs (drv, id, path) values (?, ?, ?)");
	if (!statement)
		return false;
	bool ok = true;
	for (size_t i = 0; ok && i < writer->closure->n; i++) {
		if (!is_derivation(&writer->closure->v[i]))
			continue;
		struct arena *arena = arena_new();
		ok = insert_outputs_of(writer, arena, statement, i);
		arena_free(arena);
	}
	return ok;
}

static bool write_database(struct writer *writer)
{
	/* "unix-none": no other process knows the file yet, and not every file system has locks. */
	if (sqlite3_open_v2(writer->path, &writer->db, SQLITE_OPEN_READWRITE, "unix-none") !=
		SQLITE_OK)
		return failed(writer);
	sqlite3_db_config(writer->db, SQLITE_DBCONFIG_LEGACY_FILE_FORMAT, 0, NULL);
	if (!execute(writer, settings))
		return false;
	if (!execute(writer, "begin"))
		return false;
	if (!execute(writer, tables))
		return false;
	if (!insert_paths(writer))
		return false;
	if (!insert_references(writer))
		return false;
	if (!insert_outputs(writer))
		return false;
	if (!execute(writer, indices))
		return false;
	return execute(writer, "commit");
}

static bool write_and_close(struct writer *writer)
{
	bool ok = write_database(writer);
	if (sqlite3_close(writer->db) != SQLITE_OK && ok)
		ok = failed(writer);
	return ok;
}

/* Checks what only a bug in the caller could violate. */
static bool closure_is_sound(struct diag *diag, const struct closure *closure)
{
	for (size_t i = 0; i < closure->n; i++) {
		const struct store_path *path = &closure->v[i];
		if (!path->nar_hash || strlen(path->nar_hash) != 64 ||
			strspn(path->nar_hash, "0123456789abcdef") != 64)
			return diag_error(diag, STATUS_FAILED, NULL, "internal",
				"the hash of %s is unknown", path->path);
		if (i && strcmp(path[-1].path, path->path) >= 0)
			return diag_error(diag, STATUS_FAILED, NULL, "internal",
				"%s is out of order in the closure", path->path);
		for (size_t j = 0; j < path->nrefs; j++)
			if (path->refs[j] >= closure->n)
				return diag_error(diag, STATUS_FAILED, NULL, "internal",
					"%s refers to a path outside the closure", path->path);
	}
	return true;
}

static bool write_files(struct writer *writer, const char *schema)
{
	/*
	 * The file is created here, because it must be new and sqlite's mode would depend on the
	 * umask.
	 */
	if (!file_write(writer->diag, writer->path, "", 0, 0644))
		return false;
	if (write_and_close(writer) &&
		file_write(writer->diag, schema, schema_version, sizeof schema_version, 0644))
		return true;
	unlink(writer->path);
	return false;
}

bool nix_db_write(struct diag *diag, const char *directory, const struct closure *closure,
	uint32_t registration_time)
{
	if (!closure_is_sound(diag, closure))
		return false;
	struct arena *arena = arena_new();
	struct writer writer = {
		.diag = diag, .closure = closure, .registration_time = registration_time};
	writer.path = path_join(arena, directory, "db.sqlite");
	bool ok = write_files(&writer, path_join(arena, directory, "schema"));
	arena_free(arena);
	return ok;
}
