/* SPDX-License-Identifier: MIT */
/* source: the table that every source of a closure fills, and the sources. Private to this room. */
#ifndef MVM_COMPILER_CLOSURE_SOURCE_H
#define MVM_COMPILER_CLOSURE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/file.h"
#include "base/table.h"
#include "imaging/store/store_path.h"

struct closure_request;

/* A store path that the source has described or that something has referred to. */
struct closure_entry {
	/* `refs` are indices of entries, in any order and possibly repeated */
	struct store_path info;
	struct pos where; /* where the source describes it or the user names it */
	bool described;
};

struct closure_table {
	struct arena *arena;
	struct diag *diag;
	const char *store_dir;
	size_t store_dir_length;
	const char *source; /* for messages: "the Nix database /nix/var/nix/db/db.sqlite" */
	VEC(struct closure_entry) entries;
	size_t nroots; /* the first entries are the roots */
	bool whole;    /* the source lists the wanted paths, including those no root refers to */
	struct table table;        /* of indices of entries, by path */
	size_t errors;             /* of this closure; after the first 20 they are only counted */
	unsigned jobs;             /* threads that read store paths, at least 1 */
	struct closure_memo *memo; /* NULL: none */
	const struct meter *meter; /* NULL: none */
};

/* ---- table.c ---- */

struct closure_table *closure_table_new(
	struct arena *arena, struct diag *diag, const char *store_dir);
/* Removes everything except the roots. */
void closure_table_clear(struct closure_table *table);
/* Returns the entry of a well-formed path; adds an undescribed one if there is none. */
size_t closure_table_intern(struct closure_table *table, const char *path, size_t length);
/*
 * Checks a path and interns it. Returns SIZE_MAX after an error, whose text starts with `what`
 * ("reference").
 */
size_t closure_table_add(struct closure_table *table, const struct pos *where, const char *what,
	const char *path, size_t length);
/*
 * Describes an entry; info->path and info->name are ignored. A second description must agree with
 * the first.
 */
bool closure_table_describe(struct closure_table *table, size_t entry,
	const struct store_path *info, const struct pos *where);
/* Checks and normalises a NAR hash. Returns NULL after an error, which names the path. */
const char *closure_table_hash(
	struct closure_table *table, const struct pos *where, const char *path, const char *hash);
/* Checks a deriver. Returns NULL after an error. */
const char *closure_table_deriver(struct closure_table *table, const struct pos *where,
	const char *path, const char *deriver);

/* Records an error (STATUS_INPUT); after the first 20 they are only counted. Returns false. */
bool closure_error(struct closure_table *table, const struct pos *where, const char *code,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Reports how many errors were not shown. Returns whether there were none at all. */
bool closure_errors_end(struct closure_table *table);

/* Returns why HASH-NAME is not the name of a store path, or NULL if it is one. */
const char *store_name_problem(const char *name, size_t length);
/*
 * Returns the length of the store path that `path` is or lies in, or 0 if it is outside the store
 * directory.
 */
size_t store_path_length(const char *store_dir, const char *path, size_t length);

/* ---- the sources ---- */

enum source_result {
	SOURCE_READ,
	SOURCE_ABSENT, /* the source does not exist or is not readable: try the next one */
	SOURCE_BROKEN, /* an error was recorded */
};

enum { CLOSURE_FILE_BYTES = 1 << 30, CLOSURE_DB_BUSY_MS = 10000 };

/* text.c: registration texts, exportReferencesGraph files and plain lists. */
bool closure_text_load(struct closure_table *table, const char *file, const struct bytes *text);

/* json.c: `nix path-info --json`, of any version, and structured attributes with graphs. */
bool closure_json_load(struct closure_table *table, const char *file, const struct bytes *text);

/*
 * db.c: follows the references from the entries in the table. `busy_ms`: how long to wait for a
 * lock.
 */
enum source_result closure_db_load(
	struct closure_table *table, const char *state_dir, unsigned busy_ms);

/* nix.c: queries Nix's own programs, for users who may not read the database. */
enum source_result closure_nix_load(struct closure_table *table, const char *state_dir);

/*
 * scan.c: starting from the entries in the table, searches file contents for the hashes of store
 * paths, and computes the NAR hashes of the paths found.
 */
bool closure_scan_load(struct closure_table *table);
/* Finds the references among the listed entries; warns about references to other paths. */
bool closure_scan_listed(struct closure_table *table);
/* Computes the NAR hashes and sizes of the entries that have no hash. */
bool closure_scan_hashes(struct closure_table *table, const size_t *entries, size_t n);

#endif
