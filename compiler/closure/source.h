/* SPDX-License-Identifier: MIT */
/*
 * source: the table that every source of a closure fills, and the sources. Only this room knows it.
 */
#ifndef MVM_COMPILER_CLOSURE_SOURCE_H
#define MVM_COMPILER_CLOSURE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/file.h"
#include "imaging/store/store_path.h"

struct closure_request;

/* A store path that the source describes, or that was only spoken of so far. */
struct closure_entry {
	struct store_path info; /* `refs` are indices of entries, in any order, perhaps repeated */
	struct pos where;       /* where the source describes it, or where the user named it */
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
	bool whole;    /* the source is a list of what is wanted, reached from the roots or not */
	size_t *slots; /* open hash table of index + 1 */
	size_t nslots; /* a power of 2 */
	size_t errors; /* of this closure; many are counted, not recorded */
	unsigned jobs; /* threads for what must be read, at least 1 */
	struct closure_memo *memo; /* NULL: none */
};

/* ---- table.c ---- */

struct closure_table *closure_table_new(
	struct arena *arena, struct diag *diag, const char *store_dir);
/* Forgets everything but the roots. */
void closure_table_clear(struct closure_table *table);
/*
 * The entry of a path that is known to be well-formed; a new, undescribed one when it is the first
 * time.
 */
size_t closure_table_intern(struct closure_table *table, const char *path, size_t length);
/* Checks a path and interns it; SIZE_MAX after an error that starts with `what` ("reference"). */
size_t closure_table_add(struct closure_table *table, const struct pos *where, const char *what,
	const char *path, size_t length);
/*
 * Describes an entry (info->path and info->name are the table's own). A second description must
 * agree with the first.
 */
bool closure_table_describe(struct closure_table *table, size_t entry,
	const struct store_path *info, const struct pos *where);
/* Checks and normalises a NAR hash; NULL after an error that names the path. */
const char *closure_table_hash(
	struct closure_table *table, const struct pos *where, const char *path, const char *hash);
/* Checks a deriver; NULL after an error. */
const char *closure_table_deriver(struct closure_table *table, const struct pos *where,
	const char *path, const char *deriver);

/* Records an error (STATUS_INPUT); after the first 20 they are only counted. Returns false. */
bool closure_error(struct closure_table *table, const struct pos *where, const char *code,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Says how many errors were not shown; whether there were none at all. */
bool closure_errors_end(struct closure_table *table);

/* Why HASH-NAME is not the name of a store path; NULL when it is one. */
const char *store_name_problem(const char *name, size_t length);
/*
 * The length of the store path that `path` is or lies in; 0 when it is outside of the store
 * directory.
 */
size_t store_path_length(const char *store_dir, const char *path, size_t length);

/* ---- the sources ---- */

enum source_result {
	SOURCE_READ,
	SOURCE_ABSENT, /* it is not there, or not for us: try the next one */
	SOURCE_BROKEN, /* an error was recorded */
};

enum { CLOSURE_FILE_BYTES = 1 << 30, CLOSURE_DB_BUSY_MS = 10000 };

/* text.c: registration texts, exportReferencesGraph files and plain lists. */
bool closure_text_load(struct closure_table *table, const char *file, const struct bytes *text);

/* json.c: `nix path-info --json`, of any version, and structured attributes with graphs. */
bool closure_json_load(struct closure_table *table, const char *file, const struct bytes *text);

/*
 * db.c: follows the references from the entries in the table. `busy_ms`: how long to wait for
 * whoever has locked it.
 */
enum source_result closure_db_load(
	struct closure_table *table, const char *state_dir, unsigned busy_ms);

/* nix.c: asks Nix's own programs, for those who may not read the database. */
enum source_result closure_nix_load(struct closure_table *table, const char *state_dir);

/*
 * scan.c: looks for the hashes of the store directory's entries in the contents, from the entries
 * in the table on, and hashes these.
 */
bool closure_scan_load(struct closure_table *table);
/* Finds the references among the listed entries; what is found beyond them is a warning. */
bool closure_scan_listed(struct closure_table *table);
/* Finds the NAR hashes and sizes of those entries that have no hash. */
bool closure_scan_hashes(struct closure_table *table, const size_t *entries, size_t n);

#endif
