/* SPDX-License-Identifier: MIT */
/*
 * database: an SQLite file that no other process uses, with error messages that say how to recover.
 */
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
 * Opens db.sqlite in `directory` for writing. A log that a killed program left is merged into it.
 */
bool database_open(struct arena *arena, const char *directory, struct database *database);
/* Opens an empty database, to which only the seed will be attached. */
bool database_open_memory(struct arena *arena, struct database *database);
/* Merges the log into the file and closes it. */
bool database_close(struct database *database);
/* Makes the database in `directory`, which is only read, visible as the schema "seed". */
bool database_attach_seed(const struct database *database, const char *directory);

bool database_execute(const struct database *database, const char *sql);
/*
 * Prepares a statement for sqlite3_step; NULL on failure. `text` is bound to its first parameter,
 * unless NULL, and must live as long as the statement.
 */
sqlite3_stmt *database_prepare(const struct database *database, const char *sql, const char *text);
/* Reads the first column of the first row. */
bool database_number(const struct database *database, const char *sql, sqlite3_int64 *number);
/* Reports SQLite's last error and returns false. */
bool database_failed(const struct database *database);
/* Reports that the file is damaged and how to recover, and returns false. */
bool database_damaged(const struct database *database, const char *reason);

void statement_cleanup(sqlite3_stmt **statement);
#define STATEMENT_CLEANUP __attribute__((cleanup(statement_cleanup)))

/* Returns "file:" and the path; characters that are special in a URI become %XX. */
const char *database_uri(struct arena *arena, const char *path, const char *options);

#endif
