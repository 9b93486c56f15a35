/* SPDX-License-Identifier: MIT */
/* table: a source's store paths by name, the syntax of store paths, and the errors of a closure. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/nix_hash.h"
#include "base/number.h"
#include "compiler/closure/source.h"

enum { ERRORS_SHOWN = 20, HASH_PART = 32, NAME_MAX_LENGTH = 211 };

/* ---- errors ---- */

bool closure_error(struct closure_table *table, const struct pos *where, const char *code,
	const char *format, ...)
{
	if (table->errors++ >= ERRORS_SHOWN)
		return false;
	va_list arguments;
	va_start(arguments, format);
	char *text = NULL;
	if (vasprintf(&text, format, arguments) < 0)
		abort();
	va_end(arguments);
	diag_error(table->diag, STATUS_INPUT, where, code, "%s", text);
	free(text);
	return false;
}

bool closure_errors_end(struct closure_table *table)
{
	if (table->errors > ERRORS_SHOWN)
		diag_error(table->diag, STATUS_INPUT, NULL, "closure",
			"the closure has %zu more error%s", table->errors - ERRORS_SHOWN,
			plural(table->errors - ERRORS_SHOWN));
	return table->errors == 0;
}

/* ---- names ---- */

static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		(c && strchr("+-._?=", c));
}

const char *store_name_problem(const char *name, size_t length)
{
	for (size_t i = 0; i < HASH_PART; i++)
		if (i >= length || !nix32_is_digit(name[i]))
			return "its name does not start with a 32-character hash";
	if (length < HASH_PART + 2 || name[HASH_PART] != '-')
		return "its name has no \"-NAME\" after the hash";
	if (length > HASH_PART + 1 + NAME_MAX_LENGTH)
		return "its name is longer than 211 characters";
	for (size_t i = HASH_PART + 1; i < length; i++)
		if (!is_name_character(name[i]))
			return "its name contains a character that store paths may not contain";
	return NULL;
}

size_t store_path_length(const char *store_dir, const char *path, size_t length)
{
	size_t start = strlen(store_dir);
	if (length <= start + 1 || memcmp(path, store_dir, start) != 0 || path[start] != '/')
		return 0;
	const char *name = path + start + 1, *slash = memchr(name, '/', length - start - 1);
	return slash ? (size_t)(slash - path) : length;
}

static const char *store_path_problem(const char *store_dir, const char *path, size_t length)
{
	size_t start = strlen(store_dir) + 1;
	if (store_path_length(store_dir, path, length) == 0)
		return "it is outside of the store directory";
	return store_name_problem(path + start, length - start);
}

/* ---- the table ---- */

struct closure_table *closure_table_new(
	struct arena *arena, struct diag *diag, const char *store_dir)
{
	struct closure_table *table = arena_alloc(arena, sizeof *table);
	table->arena = arena;
	table->diag = diag;
	table->store_dir = store_dir;
	table->store_dir_length = strlen(store_dir);
	table->jobs = 1;
	return table;
}

/*
 * The hash part of a name is a good hash already. All 160 bits are used, so that nobody can choose
 * names that collide.
 */
static uint64_t name_hash(const char *name)
{
	uint64_t words[HASH_PART / sizeof(uint64_t)], hash = 0;
	memcpy(words, name, sizeof words);
	for (size_t i = 0; i < countof(words); i++)
		hash = (hash ^ words[i] ^ hash >> 32) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 32;
}

/* Returns the entry of a path, which is in the store and has at least a hash part, or SIZE_MAX. */
static size_t path_find(const struct closure_table *table, const char *path, size_t length)
{
	struct table_search search = table_search(name_hash(path + table->store_dir_length + 1));
	for (size_t i; table_next(&table->table, &search, &i);) {
		const char *other = table->entries.v[i].info.path;
		if (strncmp(other, path, length) == 0 && other[length] == 0)
			return i;
	}
	return SIZE_MAX;
}

static void path_add(struct closure_table *table, size_t entry)
{
	table_add(table->arena, &table->table, name_hash(table->entries.v[entry].info.name), entry);
}

/* Returns the entry of a path, which need not be well-formed, or SIZE_MAX. */
static size_t find(const struct closure_table *table, const char *path, size_t length)
{
	size_t start = table->store_dir_length;
	if (length < start + 1 + HASH_PART || memcmp(path, table->store_dir, start) != 0)
		return SIZE_MAX;
	return path_find(table, path, length);
}

void closure_table_clear(struct closure_table *table)
{
	table->entries.n = table->nroots;
	table->whole = false;
	for (size_t i = 0; i < table->nroots; i++)
		table->entries.v[i].described = false;
	table_clear(&table->table);
	for (size_t i = 0; i < table->entries.n; i++)
		path_add(table, i);
}

size_t closure_table_intern(struct closure_table *table, const char *path, size_t length)
{
	const size_t known = path_find(table, path, length);
	if (known != SIZE_MAX)
		return known;
	struct closure_entry entry = {
		.info = {.path = arena_strndup(table->arena, path, length), .nar_size = -1}};
	entry.info.name = entry.info.path + table->store_dir_length + 1;
	vec_push(table->arena, &table->entries, entry);
	path_add(table, table->entries.n - 1);
	return table->entries.n - 1;
}

/* Precision for %.*s: limits quoted text to a recognisable part. */
static int shown(size_t length)
{
	return length < 300 ? (int)length : 300;
}

size_t closure_table_add(struct closure_table *table, const struct pos *where, const char *what,
	const char *path, size_t length)
{
	/* Most references are to paths that are in the table and hence checked. */
	size_t entry = find(table, path, length);
	if (entry != SIZE_MAX)
		return entry;
	const char *problem = store_path_problem(table->store_dir, path, length);
	if (!problem)
		return closure_table_intern(table, path, length);
	closure_error(table, where, "store-path", "%s \"%.*s\" is not a path of the store %s: %s",
		what, shown(length), path, table->store_dir, problem);
	return SIZE_MAX;
}

/* Whether two descriptions of one path are consistent. */
static bool agree(const struct store_path *a, const struct store_path *b)
{
	return !a->nar_hash || !b->nar_hash || strcmp(a->nar_hash, b->nar_hash) == 0;
}

bool closure_table_describe(struct closure_table *table, size_t index,
	const struct store_path *info, const struct pos *where)
{
	struct closure_entry *entry = &table->entries.v[index];
	if (entry->described)
		return agree(&entry->info, info) ||
			closure_error(table, where, "closure-conflict",
				"%s is described twice, with different hashes", entry->info.path);
	const char *path = entry->info.path, *name = entry->info.name;
	entry->info = *info;
	entry->info.path = path;
	entry->info.name = name;
	entry->described = true;
	if (where)
		entry->where = *where;
	return true;
}

const char *closure_table_hash(
	struct closure_table *table, const struct pos *where, const char *path, const char *hash)
{
	char base16[NIX_HASH_DIGITS + 1];
	if (nix_hash_parse(hash, base16))
		return arena_strndup(table->arena, base16, NIX_HASH_DIGITS);
	closure_error(table, where, "nar-hash", "%s: \"%.*s\" is not a SHA-256 hash", path,
		shown(strlen(hash)), hash);
	return NULL;
}

const char *closure_table_deriver(
	struct closure_table *table, const struct pos *where, const char *path, const char *deriver)
{
	const char *problem = store_path_problem(table->store_dir, deriver, strlen(deriver));
	if (!problem)
		return arena_strdup(table->arena, deriver);
	closure_error(table, where, "store-path",
		"%s: its deriver \"%.*s\" is not a store path: %s", path, shown(strlen(deriver)),
		deriver, problem);
	return NULL;
}
