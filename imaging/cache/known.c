/* SPDX-License-Identifier: MIT */
#include "imaging/cache/known.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/holes.h"

enum {
	/* limits how many files with the same start and size are compared */
	COMPARED_MAX = 16,
};

void known_begin(struct known_files *known, struct packing *packing, uint32_t block_size)
{
	*known = (struct known_files){
		.packing = packing, .block_size = block_size, .arena = arena_new()};
}

void known_free(struct known_files *known)
{
	table_free(&known->table);
	free(known->compare);
	arena_free(known->arena);
	*known = (struct known_files){0};
}

void known_add(struct known_files *known, uint64_t hash, uint64_t record)
{
	table_add(NULL, &known->table, hash, (size_t)(record / 8));
}

void known_enter_directory(struct known_files *known, uint32_t number)
{
	const struct store_walk *walk = &known->packing->walk;
	const char *below =
		walk->path.n > walk->root_length ? walk->path.p + walk->root_length + 1 : "";
	vec_push(known->arena, &known->directories,
		(struct known_directory){number, arena_strdup(known->arena, below)});
}

static const char *directory_path(const struct known_files *known, uint32_t number)
{
	size_t first = 0, end = known->directories.n;
	while (end - first > 1) {
		const size_t middle = first + (end - first) / 2;
		if (known->directories.v[middle].number <= number)
			first = middle;
		else
			end = middle;
	}
	return known->directories.v[first].path;
}

/* A file's number is the offset of its record / 8. */
static const struct object_record *record_of(const struct known_files *known, size_t number)
{
	return (const void *)(known->packing->records.p + (uint64_t)number * 8);
}

static int open_file(const struct known_files *known, size_t number)
{
	const struct object_record *record = record_of(known, number);
	BUF_CLEANUP struct buf path = {0};
	buf_printf(&path, "%s/%s/%.*s", known->packing->root, directory_path(known, record->parent),
		record->name_length, object_record_name(record));
	return open(buf_text(&path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/* Compares the contents of both files from `at` on, and adds them to the walk's hash. */
static bool rest_is_same(struct known_files *known, int fd, int other, uint64_t at, uint64_t size)
{
	const size_t block = known->block_size;
	unsigned char *theirs = known->compare, *ours = known->compare + block;
	struct holes our_holes = holes_of(fd, size), their_holes = holes_of(other, size);
	for (; at < size; at += block) {
		const size_t part = size - at < block ? (size_t)(size - at) : block;
		if (!holes_read(&our_holes, ours, part, at) ||
			!holes_read(&their_holes, theirs, part, at) ||
			memcmp(ours, theirs, part) != 0)
			return false;
		store_walk_content(&known->packing->walk, ours, part);
	}
	return true;
}

static bool is_same(struct known_files *known, size_t number, int fd, const unsigned char *start,
	size_t n, uint64_t size)
{
	FD_CLEANUP int other = open_file(known, number);
	if (!known->compare)
		known->compare = require_memory(malloc(2 * (size_t)known->block_size));
	if (other < 0 || !fd_read_all(other, known->compare, n, 0) ||
		memcmp(known->compare, start, n) != 0)
		return false;
	if (n == size)
		return true;
	nar_mark(&known->packing->walk.nar);
	const bool same = rest_is_same(known, fd, other, n, size);
	if (!same)
		nar_rewind(&known->packing->walk.nar);
	return same;
}

uint32_t known_find(struct known_files *known, uint64_t hash, int fd, const unsigned char *start,
	size_t n, uint64_t size)
{
	struct table_search search = table_search(hash);
	unsigned compared = 0;
	for (size_t number;
		compared < COMPARED_MAX && table_next(&known->table, &search, &number);) {
		if (object_record_file(record_of(known, number))->size != size)
			continue;
		if (is_same(known, number, fd, start, n, size))
			return (uint32_t)number;
		compared++;
	}
	return OBJECT_OWN_CONTENT;
}
