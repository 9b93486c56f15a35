/* SPDX-License-Identifier: MIT */
/*
 * scan: reads from the contents of store paths what no source records: references, and the hash and
 * size of the NAR. Both are computed in one pass, so they describe the same bytes.
 *
 * All threads read, one round at a time; a round consists of the paths that the previous one found.
 * Between rounds, one thread stores the findings in the order of the entries, so that the result
 * does not depend on the number of threads.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "base/workers.h"
#include "compiler/closure/memo.h"
#include "compiler/closure/search.h"
#include "compiler/closure/source.h"

enum { WARNINGS_SHOWN = 20 };

enum scan_mode {
	SCAN_ALL,    /* every reference found belongs to the closure */
	SCAN_LISTED, /* only entries of the table are references */
	SCAN_HASHES, /* compute hashes only */
};

struct scanner {
	struct closure_table *table;
	enum scan_mode mode;
	struct candidates candidates;
	struct closure_memo *memo;   /* NULL: none */
	struct searcher **searchers; /* one for each thread */
	unsigned nsearchers;
	VEC(size_t) round;        /* entries */
	struct finding *findings; /* one for each entry of the round */
	size_t warnings;
};

/* ---- candidates ---- */

static void add_candidate(struct scanner *scanner, const char *name, size_t entry)
{
	vec_push(scanner->table->arena, &scanner->candidates.v, (struct candidate){name, entry});
}

static bool add_directory(struct scanner *scanner)
{
	struct closure_table *table = scanner->table;
	DIR *stream = opendir(table->store_dir);
	if (!stream)
		return false;
	for (struct dirent *entry; (entry = directory_next(stream, table->store_dir));)
		if (!store_name_problem(entry->d_name, strlen(entry->d_name)))
			add_candidate(scanner, arena_strdup(table->arena, entry->d_name), SIZE_MAX);
	closedir(stream);
	return true;
}

static bool add_candidates(struct scanner *scanner)
{
	struct closure_table *table = scanner->table;
	for (size_t i = 0; i < table->entries.n; i++)
		if (scanner->mode == SCAN_ALL || table->entries.v[i].described)
			add_candidate(scanner, table->entries.v[i].info.name, i);
	if (add_directory(scanner))
		return true;
	/* the candidates are this list's alone, so findings cannot be shared */
	scanner->memo = NULL;
	return scanner->mode == SCAN_LISTED ||
		closure_error(table, NULL, "closure-scan", "cannot list the store directory %s: %s",
			table->store_dir, strerror(errno));
}

/* ---- reading ---- */

static bool read_path(void *context, size_t worker, size_t index)
{
	const struct scanner *scanner = context;
	const char *path = scanner->table->entries.v[scanner->round.v[index]].info.path;
	struct finding *out = &scanner->findings[index];
	const bool searched = scanner->mode != SCAN_HASHES;
	if (scanner->memo && closure_memo_find(scanner->memo, path, searched, out))
		return true;
	searcher_search(scanner->searchers[worker], path, out);
	if (scanner->memo && !out->error)
		closure_memo_add(scanner->memo, path, searched, out);
	return true;
}

static void read_round(struct scanner *scanner)
{
	const size_t n = scanner->round.n;
	scanner->findings = arena_alloc(scanner->table->arena, (n + 1) * sizeof *scanner->findings);
	workers_run(scanner->nsearchers, n, read_path, scanner);
}

/* ---- taking over ---- */

static void warn_unlisted(
	struct scanner *scanner, const struct candidate *candidate, const char *where)
{
	struct closure_table *table = scanner->table;
	if (scanner->warnings++ < WARNINGS_SHOWN)
		diag_warning(table->diag, NULL, "closure-list",
			"%s contains the hash of %s/%s, which is not in %s", where,
			table->store_dir, candidate->name, table->source);
}

static void take_references(struct scanner *scanner, size_t entry, const struct finding *finding)
{
	struct closure_table *table = scanner->table;
	size_t *refs = arena_alloc(table->arena, finding->n * sizeof *refs), n = 0;
	for (size_t i = 0; i < finding->n; i++) {
		struct candidate *candidate =
			candidates_find(&scanner->candidates, finding->names[i]);
		if (!candidate)
			continue;
		if (candidate->entry == SIZE_MAX && scanner->mode == SCAN_LISTED) {
			warn_unlisted(scanner, candidate, finding->where[i]);
			continue;
		}
		if (candidate->entry == SIZE_MAX) {
			const char *path =
				path_join(table->arena, table->store_dir, candidate->name);
			candidate->entry = closure_table_intern(table, path, strlen(path));
		}
		refs[n++] = candidate->entry;
	}
	table->entries.v[entry].info.refs = refs;
	table->entries.v[entry].info.nrefs = n;
	table->entries.v[entry].described = true;
}

static bool take_finding(struct scanner *scanner, size_t entry, const struct finding *finding)
{
	struct closure_table *table = scanner->table;
	if (finding->error)
		return closure_error(table, NULL, "closure-scan", "%s", finding->error);
	if (scanner->mode != SCAN_HASHES)
		take_references(scanner, entry, finding);
	struct store_path *info = &table->entries.v[entry].info;
	info->nar_hash = arena_strdup(table->arena, finding->nar_hash);
	info->nar_size = (int64_t)finding->nar_size;
	return true;
}

/* ---- the whole ---- */

static bool scan_round(struct scanner *scanner)
{
	bool ok = true;
	read_round(scanner);
	for (size_t i = 0; i < scanner->round.n; i++)
		ok &= take_finding(scanner, scanner->round.v[i], &scanner->findings[i]);
	scanner->round.n = 0;
	return ok;
}

/*
 * Scans all entries and everything they lead to. Missing paths are reported later, with their
 * referrers.
 */
static bool scan_table(struct scanner *scanner)
{
	struct closure_table *table = scanner->table;
	bool ok = true;
	for (size_t i = 0; i < table->entries.n;) {
		for (; i < table->entries.n; i++)
			if ((scanner->mode == SCAN_ALL || table->entries.v[i].described) &&
				path_exists(table->entries.v[i].info.path))
				vec_push(table->arena, &scanner->round, i);
		ok &= scan_round(scanner);
	}
	return ok;
}

static void begin(struct scanner *scanner)
{
	struct arena *arena = scanner->table->arena;
	candidates_index(arena, &scanner->candidates);
	scanner->nsearchers = scanner->table->jobs;
	scanner->searchers = arena_alloc(arena, scanner->nsearchers * sizeof *scanner->searchers);
	for (size_t i = 0; i < scanner->nsearchers; i++)
		scanner->searchers[i] = searcher_new(&scanner->candidates, scanner->table->meter);
}

static void end(struct scanner *scanner)
{
	for (size_t i = 0; i < scanner->nsearchers; i++)
		searcher_free(scanner->searchers[i]);
}

static bool scan(struct scanner *scanner)
{
	if (!add_candidates(scanner))
		return false;
	begin(scanner);
	const bool ok = scan_table(scanner);
	end(scanner);
	return ok;
}

bool closure_scan_load(struct closure_table *table)
{
	struct scanner scanner = {.table = table, .mode = SCAN_ALL, .memo = table->memo};
	table->source = arena_printf(table->arena, "the references found in %s", table->store_dir);
	return scan(&scanner);
}

bool closure_scan_listed(struct closure_table *table)
{
	struct scanner scanner = {.table = table, .mode = SCAN_LISTED, .memo = table->memo};
	bool ok = scan(&scanner);
	if (scanner.warnings > WARNINGS_SHOWN)
		diag_warning(table->diag, NULL, "closure-list",
			"the closure has %zu more such reference%s",
			scanner.warnings - WARNINGS_SHOWN,
			plural(scanner.warnings - WARNINGS_SHOWN));
	return ok;
}

bool closure_scan_hashes(struct closure_table *table, const size_t *entries, size_t n)
{
	struct scanner scanner = {.table = table, .mode = SCAN_HASHES, .memo = table->memo};
	for (size_t i = 0; i < n; i++)
		if (!table->entries.v[entries[i]].info.nar_hash)
			vec_push(table->arena, &scanner.round, entries[i]);
	begin(&scanner);
	const bool ok = scan_round(&scanner);
	end(&scanner);
	return ok;
}
