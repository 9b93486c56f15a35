/* SPDX-License-Identifier: MIT */
/*
 * search: finds references as Nix itself does: a reference is the 32 characters of a store path's
 * hash in a file, a link's target or a file name.
 *
 * Most bytes are skipped: a window of 32 characters cannot be a hash if any of them is not a base
 * 32 digit, and the window is checked from its end. Files are read in blocks and not mapped,
 * because a mapped file that shrinks would kill the program.
 */
#include "compiler/closure/search.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/holes.h"
#include "base/nix_hash.h"
#include "imaging/store/store_walk.h"

enum { HASH_PART = 32, BLOCK_BYTES = 256 * 1024 };

struct searcher {
	struct arena *arena;
	struct diag *diag;
	const struct candidates *candidates;
	const struct meter *meter;
	size_t *found_in; /* for each candidate: number of the last search that found it */
	size_t search;    /* number of the current search, from 1 */
	bool is_digit[256];
	unsigned char *block;
	struct strings names, where;
};

/* ---- candidates ---- */

static uint64_t hash_of(const char *hash)
{
	uint64_t key;
	memcpy(&key, hash, sizeof key);
	return key * 0x9e3779b97f4a7c15 >> 32;
}

/* Returns the index of the candidate with this hash part, or SIZE_MAX. */
static size_t find(const struct candidates *candidates, const char *hash)
{
	struct table_search search = table_search(hash_of(hash));
	for (size_t i; table_next(&candidates->table, &search, &i);)
		if (memcmp(candidates->v.v[i].name, hash, HASH_PART) == 0)
			return i;
	return SIZE_MAX;
}

/*
 * Nix creates files such as HASH-NAME.lock beside HASH-NAME. Of several names with one hash, a name
 * that something refers to is preferred, then the shortest.
 */
static bool is_better(const struct candidate *a, const struct candidate *b)
{
	if ((a->entry == SIZE_MAX) != (b->entry == SIZE_MAX))
		return a->entry != SIZE_MAX;
	return strlen(a->name) < strlen(b->name);
}

void candidates_index(struct arena *arena, struct candidates *candidates)
{
	for (size_t i = 0; i < candidates->v.n; i++) {
		const char *name = candidates->v.v[i].name;
		const size_t other = find(candidates, name);
		if (other == SIZE_MAX)
			table_add(arena, &candidates->table, hash_of(name), i);
		else if (is_better(&candidates->v.v[i], &candidates->v.v[other]))
			table_replace(&candidates->table, hash_of(name), other, i);
	}
}

struct candidate *candidates_find(const struct candidates *candidates, const char *name)
{
	const size_t i = find(candidates, name);
	return i == SIZE_MAX ? NULL : &candidates->v.v[i];
}

/* ---- searching ---- */

static void found(struct searcher *searcher, const struct store_walk *walk, const char *hash)
{
	const size_t i = find(searcher->candidates, hash);
	if (i == SIZE_MAX || searcher->found_in[i] == searcher->search)
		return;
	searcher->found_in[i] = searcher->search;
	vec_push(searcher->arena, &searcher->names, searcher->candidates->v.v[i].name);
	vec_push(searcher->arena, &searcher->where,
		arena_strdup(searcher->arena, buf_text(&walk->path)));
}

static void search(struct searcher *searcher, const struct store_walk *walk,
	const unsigned char *text, size_t length)
{
	size_t known = 0; /* number of bytes at the window's start that are known to be digits */
	for (size_t at = 0; at + HASH_PART <= length;) {
		size_t end = HASH_PART;
		while (end > known && searcher->is_digit[text[at + end - 1]])
			end--;
		if (end > known) {
			at += end;
			known = HASH_PART - end;
		} else {
			found(searcher, walk, (const char *)text + at);
			at++;
			known = HASH_PART - 1;
		}
	}
}

/* The name of the store path itself is not part of its contents. */
static void search_name(
	struct searcher *searcher, const struct store_walk *walk, const struct store_node *node)
{
	if (node->number)
		search(searcher, walk, (const unsigned char *)node->name, strlen(node->name));
}

static bool search_directory(void *context, struct store_walk *walk, const struct store_node *node)
{
	search_name(context, walk, node);
	return true;
}

static bool search_symlink(
	void *context, struct store_walk *walk, const struct store_node *node, const char *target)
{
	search_name(context, walk, node);
	search(context, walk, (const unsigned char *)target, strlen(target));
	return true;
}

static bool search_file(
	void *context, struct store_walk *walk, const struct store_node *node, int fd)
{
	struct searcher *searcher = context;
	size_t kept = 0; /* bytes kept from the end of the last block: a hash may span both */
	struct holes holes = holes_of(fd, node->size);
	search_name(searcher, walk, node);
	for (uint64_t at = 0; at < node->size;) {
		const size_t space = BLOCK_BYTES - kept,
			     part = node->size - at < space ? (size_t)(node->size - at) : space,
			     length = kept + part;
		if (!holes_read(&holes, searcher->block + kept, part, at))
			return store_walk_failed(walk);
		store_walk_content(walk, searcher->block + kept, part);
		meter_add(searcher->meter, part);
		search(searcher, walk, searcher->block, length);
		kept = length < HASH_PART - 1 ? length : HASH_PART - 1;
		memmove(searcher->block, searcher->block + length - kept, kept);
		at += part;
	}
	return true;
}

struct searcher *searcher_new(const struct candidates *candidates, const struct meter *meter)
{
	struct arena *arena = arena_new();
	struct searcher *searcher = arena_alloc(arena, sizeof *searcher);
	searcher->arena = arena;
	searcher->diag = diag_new(arena);
	searcher->candidates = candidates;
	searcher->meter = meter;
	searcher->found_in = arena_alloc(arena, (candidates->v.n + 1) * sizeof *searcher->found_in);
	searcher->block = require_memory(malloc(BLOCK_BYTES));
	for (size_t i = 0; i < countof(searcher->is_digit); i++)
		searcher->is_digit[i] = nix32_is_digit((char)i);
	return searcher;
}

void searcher_free(struct searcher *searcher)
{
	free(searcher->block);
	arena_free(searcher->arena);
}

void searcher_search(struct searcher *searcher, const char *path, struct finding *out)
{
	static const struct store_visitor visitor = {
		.directory = search_directory, .symlink = search_symlink, .file = search_file};
	struct store_walk walk = {
		.diag = searcher->diag, .visitor = &visitor, .context = searcher, .hashed = true};
	searcher->names = searcher->where = (struct strings){0};
	searcher->search++;
	*out = (struct finding){0};
	meter_begin(searcher->meter, path);
	if (store_walk_run(&walk, path)) {
		nar_end(&walk.nar, out->nar_hash);
		out->nar_size = walk.nar.size;
	} else {
		out->error = diag_error_text(searcher->diag, diag_error_count(searcher->diag) - 1);
	}
	store_walk_free(&walk);
	out->names = searcher->names.v;
	out->where = searcher->where.v;
	out->n = searcher->names.n;
}
