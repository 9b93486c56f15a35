/* SPDX-License-Identifier: MIT */
/* database: a file of SQLite that nobody else uses, with messages that say what to do. */
#ifndef MVM_IMAGING_GUEST_NIX_DB_DATABASE_H
#define MVM_IMAGING_GUEST_NIX_DB_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/arena.h"

struct database {
	struct arena *arena;
	const char *file;
	sqlite3 *handle;
};

/*
 * Opens db.sqlite in `directory` for writing; what a killed program left in its log becomes part of
 * it.
 */
bool database_open(struct arena *arena, const char *directory, struct database *database);
/* One that is only there to attach the seed to. */
bool database_open_memory(struct arena *arena, struct database *database);
/* Writes the log into the file itself, and closes it. */
bool database_close(struct database *database);
/* Makes the database in `directory`, which is only read, visible as the schema "seed". */
bool database_attach_seed(const struct database *database, const char *directory);

bool database_execute(const struct database *database, const char *sql);
/*
 * A statement for database_step; NULL when it fails. `text` is bound to its first parameter, unless
 * NULL, and must live as long.
 */
sqlite3_stmt *database_prepare(const struct database *database, const char *sql, const char *text);
/* The first column of the first row. */
bool database_number(const struct database *database, const char *sql, sqlite3_int64 *number);
/* Tells SQLite's last error; false. */
bool database_failed(const struct database *database);
/* Tells that the file is not what it should be, and the way out; false. */
bool database_damaged(const struct database *database, const char *reason);

void statement_cleanup(sqlite3_stmt **statement);
#define STATEMENT_CLEANUP __attribute__((cleanup(statement_cleanup)))

/* "file:" and the path, with what SQLite would take for something else written as %XX. */
const char *database_uri(struct arena *arena, const char *path, const char *options);

#endif
