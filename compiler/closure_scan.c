/* SPDX-License-Identifier: MIT */
/*
 * closure_scan: references as Nix itself finds them: the 32 characters of a store path's hash in a file, a link or a name.
 *
 * Most bytes are never looked at: 32 digits of base 32 in a row end at the first other byte, looked for from the end of the window.
 * Files are read in blocks and not mapped: one that shrinks meanwhile must not kill the program.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/base/buf.h"
#include "compiler/base/nix_hash.h"
#include "compiler/closure_source.h"

enum { HASH_PART = 32, BLOCK_BYTES = 256 * 1024, WARNINGS_SHOWN = 20 };

/* A path that can be found. */
struct candidate {
	const char *name;
	size_t entry;   /* SIZE_MAX while nobody has spoken of it */
	size_t found_in; /* entry + 1 of where it was found last */
};

struct scanner {
	struct closure_table *table;
	bool listed; /* find entries of the table only */
	VEC(struct candidate) candidates;
	size_t *slots; /* by hash; index + 1 */
	size_t nslots; /* a power of 2 */
	bool is_digit[256];
	unsigned char *block;
	struct buf path; /* being scanned */
	size_t entry;    /* being scanned */
	VEC(size_t) refs; /* of it */
	size_t warnings;
};

/* ---- what can be found ---- */

static size_t *hash_slot(const struct scanner *scanner, const char *hash)
{
	uint64_t key;
	memcpy(&key, hash, sizeof key);
	size_t slot = (key * 0x9e3779b97f4a7c15) >> 32 & (scanner->nslots - 1);
	while (scanner->slots[slot] && memcmp(scanner->candidates.v[scanner->slots[slot] - 1].name, hash, HASH_PART) != 0)
		slot = (slot + 1) & (scanner->nslots - 1);
	return &scanner->slots[slot];
}

static void add_candidate(struct scanner *scanner, const char *name, size_t entry)
{
	vec_push(scanner->table->arena, &scanner->candidates, (struct candidate){name, entry, 0});
}

static bool add_directory(struct scanner *scanner)
{
	struct closure_table *table = scanner->table;
	DIR *stream = opendir(table->store_dir);
	if (!stream)
		return false;
	for (struct dirent *entry; (entry = readdir(stream));)
		if (!store_name_problem(entry->d_name, strlen(entry->d_name)))
			add_candidate(scanner, arena_strdup(table->arena, entry->d_name), SIZE_MAX);
	closedir(stream);
	return true;
}

/* Nix puts HASH-NAME.lock and the like beside HASH-NAME: the table's own and then the shortest name has the hash. */
static bool is_better(const struct candidate *a, const struct candidate *b)
{
	if ((a->entry == SIZE_MAX) != (b->entry == SIZE_MAX))
		return a->entry != SIZE_MAX;
	return strlen(a->name) < strlen(b->name);
}

static void index_candidates(struct scanner *scanner)
{
	for (scanner->nslots = 64; scanner->nslots < 2 * scanner->candidates.n;)
		scanner->nslots *= 2;
	scanner->slots = arena_alloc(scanner->table->arena, scanner->nslots * sizeof *scanner->slots);
	for (size_t i = 0; i < scanner->candidates.n; i++) {
		size_t *slot = hash_slot(scanner, scanner->candidates.v[i].name);
		if (*slot == 0 || is_better(&scanner->candidates.v[i], &scanner->candidates.v[*slot - 1]))
			*slot = i + 1;
	}
}

/* ---- searching ---- */

static void warn_unlisted(struct scanner *scanner, const struct candidate *candidate)
{
	struct closure_table *table = scanner->table;
	if (scanner->warnings++ < WARNINGS_SHOWN)
		diag_warning(table->diag, NULL, "closure-list", "%s contains the hash of %s/%s, which is not in %s", buf_text(&scanner->path),
			     table->store_dir, candidate->name, table->source);
}

static void found(struct scanner *scanner, const char *hash)
{
	size_t slot = *hash_slot(scanner, hash);
	struct candidate *candidate = slot ? &scanner->candidates.v[slot - 1] : NULL;
	if (!candidate || candidate->found_in == scanner->entry + 1)
		return;
	candidate->found_in = scanner->entry + 1;
	if (candidate->entry == SIZE_MAX && scanner->listed) {
		warn_unlisted(scanner, candidate);
		return;
	}
	if (candidate->entry == SIZE_MAX) {
		const char *path = path_join(scanner->table->arena, scanner->table->store_dir, candidate->name);
		candidate->entry = closure_table_intern(scanner->table, path, strlen(path));
	}
	vec_push(scanner->table->arena, &scanner->refs, candidate->entry);
}

static void search(struct scanner *scanner, const unsigned char *text, size_t length)
{
	size_t known = 0; /* so many bytes at the window's start are digits */
	for (size_t at = 0; at + HASH_PART <= length;) {
		size_t end = HASH_PART;
		while (end > known && scanner->is_digit[text[at + end - 1]])
			end--;
		if (end > known) {
			at += end;
			known = HASH_PART - end;
		} else {
			found(scanner, (const char *)text + at);
			at++;
			known = HASH_PART - 1;
		}
	}
}

static bool search_file(struct scanner *scanner, const char *path)
{
	FD_CLEANUP int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	size_t kept = 0; /* the end of the last block, in which a hash may have begun */
	for (;;) {
		ssize_t got = fd < 0 ? -1 : read(fd, scanner->block + kept, BLOCK_BYTES - kept);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		size_t length = kept + (size_t)got;
		search(scanner, scanner->block, length);
		kept = length < HASH_PART - 1 ? length : HASH_PART - 1;
		memmove(scanner->block, scanner->block + length - kept, kept);
	}
}

static bool search_link(struct scanner *scanner, const char *path)
{
	ssize_t length = readlink(path, (char *)scanner->block, BLOCK_BYTES);
	if (length >= 0)
		search(scanner, scanner->block, (size_t)length);
	return length >= 0;
}

static bool search_tree(struct scanner *scanner);

static bool search_directory(struct scanner *scanner)
{
	DIR *stream = opendir(buf_text(&scanner->path));
	size_t length = scanner->path.n;
	bool ok = stream;
	while (ok) {
		errno = 0;
		struct dirent *entry = readdir(stream);
		if (!entry) {
			ok = errno == 0;
			break;
		}
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		search(scanner, (const unsigned char *)entry->d_name, strlen(entry->d_name));
		buf_printf(&scanner->path, "/%s", entry->d_name);
		ok = search_tree(scanner);
		/* After an error the path stays what could not be read. */
		if (ok)
			scanner->path.p[scanner->path.n = length] = 0;
	}
	int error = errno;
	if (stream)
		closedir(stream);
	errno = error;
	return ok;
}

/* Searches what scanner->path names; false with errno. */
static bool search_tree(struct scanner *scanner)
{
	struct stat st;
	const char *path = buf_text(&scanner->path);
	if (lstat(path, &st) != 0)
		return false;
	if (S_ISREG(st.st_mode))
		return search_file(scanner, path);
	if (S_ISLNK(st.st_mode))
		return search_link(scanner, path);
	return !S_ISDIR(st.st_mode) || search_directory(scanner);
}

static bool scan_entry(struct scanner *scanner, size_t entry)
{
	struct closure_table *table = scanner->table;
	struct closure_entry *scanned = &table->entries.v[entry];
	if ((scanner->listed && !scanned->described) || !path_exists(scanned->info.path))
		return true;
	scanner->entry = entry;
	memset(&scanner->refs, 0, sizeof scanner->refs);
	scanner->path.n = 0;
	buf_puts(&scanner->path, scanned->info.path);
	if (!search_tree(scanner))
		return closure_error(table, NULL, "closure-scan", "cannot look for references in %s: %s", buf_text(&scanner->path),
				     strerror(errno));
	/* The search may have moved the table. */
	scanned = &table->entries.v[entry];
	scanned->info.refs = scanner->refs.v;
	scanned->info.nrefs = scanner->refs.n;
	scanned->described = true;
	return true;
}

static bool scan(struct scanner *scanner)
{
	struct closure_table *table = scanner->table;
	for (size_t i = 0; i < table->entries.n; i++)
		if (!scanner->listed || table->entries.v[i].described)
			add_candidate(scanner, table->entries.v[i].info.name, i);
	if (!add_directory(scanner) && !scanner->listed)
		return closure_error(table, NULL, "closure-scan", "cannot list the store directory %s: %s", table->store_dir,
				     strerror(errno));
	index_candidates(scanner);
	for (size_t i = 0; i < countof(scanner->is_digit); i++)
		scanner->is_digit[i] = nix32_is_digit((char)i);
	scanner->block = malloc(BLOCK_BYTES);
	if (!scanner->block)
		abort();
	bool ok = true;
	for (size_t i = 0; i < table->entries.n; i++)
		ok &= scan_entry(scanner, i);
	free(scanner->block);
	buf_free(&scanner->path);
	return ok;
}

bool closure_scan_load(struct closure_table *table)
{
	struct scanner scanner = {.table = table};
	table->source = arena_printf(table->arena, "the references found in %s", table->store_dir);
	return scan(&scanner);
}

bool closure_scan_listed(struct closure_table *table)
{
	struct scanner scanner = {.table = table, .listed = true};
	bool ok = scan(&scanner);
	if (scanner.warnings > WARNINGS_SHOWN)
		diag_warning(table->diag, NULL, "closure-list", "and %zu more", scanner.warnings - WARNINGS_SHOWN);
	return ok;
}
