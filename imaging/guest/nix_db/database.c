/* SPDX-License-Identifier: MIT */
#include "imaging/guest/nix_db/database.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "imaging/guest/nix_db/message.h"

/*
 * No other process has the file open. Locks and a shared index of the log are therefore not used:
 * not every file system supports them, and on a share they may have no effect.
 */
static const char settings[] = "pragma locking_mode = exclusive; pragma foreign_keys = on; pragma "
			       "synchronous = full; pragma temp_store = memory;";

void statement_cleanup(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

bool database_damaged(const struct database *database, const char *reason)
{
	report("the Nix database %s is damaged: %s", database->file, reason);
	return fail("  it was left unchanged; to set it aside and begin with a new one, start the "
		    "guest once with the kernel parameter mvm.nix-db=renew");
}

bool database_failed(const struct database *database)
{
	int code = sqlite3_errcode(database->handle) & 0xff;
	const char *text = sqlite3_errmsg(database->handle);
	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		return database_damaged(database, text);
	return fail("cannot use the Nix database %s: %s", database->file, text);
}

const char *database_uri(struct arena *arena, const char *path, const char *options)
{
	BUF_CLEANUP struct buf uri = {0};
	buf_puts(&uri, "file:");
	for (const char *c = path; *c; c++)
		buf_printf(&uri, strchr("%?#", *c) ? "%%%02x" : "%c", *c);
	buf_puts(&uri, options);
	return arena_strdup(arena, buf_text(&uri));
}

bool database_execute(const struct database *database, const char *sql)
{
	return sqlite3_exec(database->handle, sql, NULL, NULL, NULL) == SQLITE_OK ||
		database_failed(database);
}

sqlite3_stmt *database_prepare(const struct database *database, const char *sql, const char *text)
{
	sqlite3_stmt *statement = NULL;
	if (sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL) == SQLITE_OK &&
		(!text || sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC) == SQLITE_OK))
		return statement;
	database_failed(database);
	sqlite3_finalize(statement);
	return NULL;
}

bool database_number(const struct database *database, const char *sql, sqlite3_int64 *number)
{
	STATEMENT_CLEANUP sqlite3_stmt *statement = database_prepare(database, sql, NULL);
	if (!statement)
		return false;
	if (sqlite3_step(statement) != SQLITE_ROW)
		return database_failed(database);
	*number = sqlite3_column_int64(statement, 0);
	return true;
}

bool database_open(struct arena *arena, const char *directory, struct database *database)
{
	*database = (struct database){arena, path_join(arena, directory, "db.sqlite"), NULL};
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE;
	if (sqlite3_open_v2(database_uri(arena, database->file, ""), &database->handle, flags,
		    "unix-none") != SQLITE_OK)
		return database_failed(database);
	return database_execute(database, settings);
}

bool database_open_memory(struct arena *arena, struct database *database)
{
	*database = (struct database){arena, ":memory:", NULL};
	/* SQLITE_OPEN_MEMORY would also apply to attached databases. */
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI |
		SQLITE_OPEN_EXRESCODE;
	return sqlite3_open_v2(database->file, &database->handle, flags, "unix-none") ==
		SQLITE_OK ||
		database_failed(database);
}

bool database_close(struct database *database)
{
	if (sqlite3_close(database->handle) != SQLITE_OK)
		return database_failed(database);
	database->handle = NULL;
	return true;
}

bool database_attach_seed(const struct database *database, const char *directory)
{
	const char *file = path_join(database->arena, directory, "db.sqlite");
	STATEMENT_CLEANUP sqlite3_stmt *statement = database_prepare(
		database, "attach ? as seed", database_uri(database->arena, file, "?immutable=1"));
	return statement &&
		(sqlite3_step(statement) == SQLITE_DONE ||
			fail("cannot open %s: %s", file, sqlite3_errmsg(database->handle)));
}
