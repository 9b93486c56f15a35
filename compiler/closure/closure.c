/* SPDX-License-Identifier: MIT */
/*
 * closure: chooses the source, follows references from the roots, checks that every path exists and
 * sorts the result.
 */
#include "compiler/closure/closure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/closure/source.h"

/* ---- the roots ---- */

/* Users often pass a link that points into the store, such as "result" or /run/current-system. */
static const char *link_hint(struct closure_table *table, const char *path)
{
	char *target = realpath(path, NULL);
	size_t length = target ? store_path_length(table->store_dir, target, strlen(target)) : 0;
	const char *hint = length ? arena_printf(table->arena, "; it is a link to %s", target) : "";
	free(target);
	return hint;
}

/* `referrer` may be NULL. */
static bool missing(struct closure_table *table, const struct pos *where, const char *path,
	const char *referrer)
{
	int error = errno;
	const char *also =
		referrer ? arena_printf(table->arena, "; %s refers to it", referrer) : "";
	if (error == ENOENT)
		return closure_error(
			table, where, "missing-path", "%s does not exist%s", path, also);
	return closure_error(table, where, "missing-path", "cannot access %s: %s%s", path,
		strerror(error), also);
}

static bool add_root(struct closure_table *table, const char *path, const struct pos *where)
{
	struct stat st;
	size_t length = store_path_length(table->store_dir, path, strlen(path));
	if (length == 0)
		return closure_error(table, where, "root-outside",
			"%s is outside of the store directory %s%s", path, table->store_dir,
			link_hint(table, path));
	size_t entry = closure_table_add(table, where, "root", path, length);
	if (entry == SIZE_MAX)
		return false;
	struct closure_entry *root = &table->entries.v[entry];
	if (where)
		root->where = *where;
	return lstat(root->info.path, &st) == 0 || missing(table, where, root->info.path, NULL);
}

static void add_roots(struct closure_table *table, const struct closure_request *request)
{
	for (size_t i = 0; i < request->roots.n; i++)
		add_root(table, request->roots.v[i],
			request->roots_pos ? &request->roots_pos[i] : NULL);
	table->nroots = table->entries.n;
}

static bool has_roots(const struct closure_table *table)
{
	for (size_t i = 0; i < table->nroots; i++)
		if (!table->entries.v[i].described)
			return false;
	return true;
}

/* ---- choosing the source ---- */

static bool is_json(const struct bytes *text)
{
	size_t blank = strspn(text->p, " \t\r\n");
	return text->p[blank] == '{' || text->p[blank] == '[';
}

/* closureInfo creates a directory; its "registration" file has the most information. */
static const char *file_in_directory(
	struct closure_table *table, const char *directory, const struct pos *where)
{
	static const char *const names[] = {"registration", "store-paths", ".attrs.json"};
	for (size_t i = 0; i < countof(names); i++) {
		const char *file = path_join(table->arena, directory, names[i]);
		if (path_exists(file))
			return file;
	}
	closure_error(table, where, "closure-file",
		"the directory %s contains neither \"registration\" nor \"store-paths\"",
		directory);
	return NULL;
}

static bool check_file(struct closure_table *table, const char *file, const struct pos *where)
{
	return access(file, R_OK) == 0 ||
		closure_error(
			table, where, "closure-file", "cannot read %s: %s", file, strerror(errno));
}

static bool read_file(struct closure_table *table, const char *file, const struct pos *where)
{
	struct bytes text;
	if (!check_file(table, file, where))
		return false;
	if (path_is_directory(file) && !(file = file_in_directory(table, file, where)))
		return false;
	table->source = file;
	if (!file_read(table->arena, table->diag, file, CLOSURE_FILE_BYTES, &text)) {
		table->errors++;
		return false;
	}
	return is_json(&text) ? closure_json_load(table, file, &text)
			      : closure_text_load(table, file, &text);
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

/*
 * Reads the structured attributes of the derivation that runs us, if their graphs contain all
 * roots.
 */
static enum source_result read_attributes(struct closure_table *table, const char *state_dir)
{
	(void)state_dir;
	const char *file = environment("NIX_ATTRS_JSON_FILE"), *top = environment("NIX_BUILD_TOP");
	/* Inside its sandbox, Nix 2.8 sets the variable to the file's path on the host. */
	if (top && (!file || !path_exists(file)))
		file = path_join(table->arena, top, ".attrs.json");
	if (!file || !path_exists(file) || table->nroots == 0)
		return SOURCE_ABSENT;
	if (!read_file(table, file, NULL))
		return SOURCE_BROKEN;
	return has_roots(table) ? SOURCE_READ : SOURCE_ABSENT;
}

static enum source_result read_database(struct closure_table *table, const char *state_dir)
{
	return closure_db_load(table, state_dir, CLOSURE_DB_BUSY_MS);
}

static enum source_result scan_paths(struct closure_table *table, const char *state_dir)
{
	(void)state_dir;
	return closure_scan_load(table) ? SOURCE_READ : SOURCE_BROKEN;
}

/* The sources of a closure that no file describes. The first one that is present is used. */
static enum source_result (*const sources[])(struct closure_table *table, const char *state_dir) = {
	read_attributes, read_database, closure_nix_load, scan_paths};

static bool read_default(struct closure_table *table, const struct closure_request *request)
{
	const char *state_dir =
		request->state_dir ? request->state_dir : environment("NIX_STATE_DIR");
	enum source_result result = SOURCE_ABSENT;
	for (size_t i = 0; i < countof(sources) && result == SOURCE_ABSENT; i++) {
		closure_table_clear(table);
		result = sources[i](table, state_dir ? state_dir : "/nix/var/nix");
	}
	return result == SOURCE_READ;
}

/* ---- the roots' closure ---- */

/* The entries of the closure, in the order in which they were reached. */
struct reach {
	struct closure_table *table;
	VEC(size_t) queue;
	/*
	 * for every entry: index + 1 of the first entry that refers to it; 0 for roots and listed
	 * paths
	 */
	size_t *referrer;
	bool *seen;
};

static void reach_add(struct reach *reach, size_t entry, size_t referrer)
{
	if (reach->seen[entry])
		return;
	reach->seen[entry] = true;
	reach->referrer[entry] = referrer;
	vec_push(reach->table->arena, &reach->queue, entry);
}

static void reach_all(struct reach *reach)
{
	struct closure_table *table = reach->table;
	size_t first = table->whole ? table->entries.n : table->nroots;
	for (size_t i = 0; i < first; i++)
		reach_add(reach, i, 0);
	for (size_t i = 0; i < reach->queue.n; i++) {
		const struct store_path *info = &table->entries.v[reach->queue.v[i]].info;
		for (size_t j = 0; j < info->nrefs; j++)
			reach_add(reach, info->refs[j], reach->queue.v[i] + 1);
	}
}

static const struct pos *place_of(const struct closure_entry *entry)
{
	return entry->where.file ? &entry->where : NULL;
}

/* Every path of the closure must exist and be described by the source. */
static void check_entry(struct reach *reach, size_t index)
{
	struct closure_table *table = reach->table;
	const struct closure_entry *entry = &table->entries.v[index];
	const struct closure_entry *referrer =
		reach->referrer[index] ? &table->entries.v[reach->referrer[index] - 1] : NULL;
	const char *path = entry->info.path, *by = referrer ? referrer->info.path : NULL;
	struct stat st;
	/* add_root has checked the roots. */
	if (index >= table->nroots && lstat(path, &st) != 0)
		missing(table, place_of(entry), path, by);
	else if (!entry->described && referrer)
		closure_error(table, place_of(referrer), "closure-incomplete",
			"%s, to which %s refers, is not in %s", path, by, table->source);
	else if (!entry->described && path_exists(path))
		closure_error(table, place_of(entry), "closure-incomplete",
			"%s is not in %s; build it, or name a `closure` that describes it", path,
			table->source);
}

/* ---- order ---- */

struct ranked {
	const char *path;
	size_t entry;
};

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct ranked *)a)->path, ((const struct ranked *)b)->path);
}

static int compare_indices(const void *a, const void *b)
{
	size_t first = *(const size_t *)a, second = *(const size_t *)b;
	return (first > second) - (first < second);
}

/* Replaces indices of entries by indices of the closure, sorted and without duplicates. */
static void translate_references(struct arena *arena, struct store_path *info, const size_t *rank)
{
	size_t *refs = arena_alloc(arena, info->nrefs * sizeof *refs), n = 0;
	for (size_t i = 0; i < info->nrefs; i++)
		refs[i] = rank[info->refs[i]];
	qsort(refs, info->nrefs, sizeof *refs, compare_indices);
	for (size_t i = 0; i < info->nrefs; i++)
		if (i == 0 || refs[i] != refs[i - 1])
			refs[n++] = refs[i];
	info->refs = refs;
	info->nrefs = n;
}

static void put_in_order(const struct reach *reach, struct closure *out)
{
	const struct closure_table *table = reach->table;
	size_t n = reach->queue.n;
	struct ranked *order = arena_alloc(table->arena, n * sizeof *order);
	size_t *rank = arena_alloc(table->arena, table->entries.n * sizeof *rank);
	struct store_path *paths = arena_alloc(table->arena, n * sizeof *paths);
	for (size_t i = 0; i < n; i++)
		order[i] = (struct ranked){
			table->entries.v[reach->queue.v[i]].info.path, reach->queue.v[i]};
	qsort(order, n, sizeof *order, compare_paths);
	for (size_t i = 0; i < n; i++)
		rank[order[i].entry] = i;
	for (size_t i = 0; i < n; i++) {
		paths[i] = table->entries.v[order[i].entry].info;
		translate_references(table->arena, &paths[i], rank);
	}
	*out = (struct closure){
		.v = paths, .n = n, .store_dir = table->store_dir, .source = table->source};
}

static const char *without_slashes(struct arena *arena, const char *path)
{
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		length--;
	return arena_strndup(arena, path, length);
}

bool closure_load(struct arena *arena, struct diag *diag, const struct closure_request *request,
	struct closure *out)
{
	struct closure_table *table =
		closure_table_new(arena, diag, without_slashes(arena, request->store_dir));
	if (request->jobs)
		table->jobs = request->jobs;
	table->memo = request->memo;
	table->meter = request->meter;
	add_roots(table, request);
	bool read = request->file ? read_file(table, request->file, request->file_pos)
				  : read_default(table, request);
	if (read) {
		struct reach reach = {.table = table,
			.referrer = arena_alloc(arena, table->entries.n * sizeof *reach.referrer),
			.seen = arena_alloc(arena, table->entries.n * sizeof *reach.seen)};
		reach_all(&reach);
		for (size_t i = 0; i < reach.queue.n; i++)
			check_entry(&reach, reach.queue.v[i]);
		if (table->errors == 0 && closure_scan_hashes(table, reach.queue.v, reach.queue.n))
			put_in_order(&reach, out);
	}
	return closure_errors_end(table) && read;
}

bool closure_check(struct arena *arena, struct diag *diag, const struct closure_request *request)
{
	struct closure_table *table =
		closure_table_new(arena, diag, without_slashes(arena, request->store_dir));
	add_roots(table, request);
	if (request->file)
		check_file(table, request->file, request->file_pos);
	return closure_errors_end(table);
}

static int compare_path(const void *path, const void *entry)
{
	return strcmp(path, ((const struct store_path *)entry)->path);
}

bool closure_has(const struct closure *closure, const char *path)
{
	return closure->n &&
		bsearch(path, closure->v, closure->n, sizeof *closure->v, compare_path);
}
