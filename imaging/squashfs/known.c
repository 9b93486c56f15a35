/* SPDX-License-Identifier: MIT */
#include "imaging/squashfs/known.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"

enum {
	FIRST_SLOTS = 64,
	/* limits how many files with the same start and size are compared */
	COMPARED_MAX = 16,
};

/* Found by a hash of its start. */
struct known_file {
	uint64_t hash;
	uint32_t record; /* its offset in the records / 8; OBJECT_OWN_CONTENT in a free slot */
};

void known_begin(struct known_files *known, struct packing *packing, uint32_t block_size)
{
	*known = (struct known_files){
		.packing = packing, .block_size = block_size, .arena = arena_new()};
}

void known_free(struct known_files *known)
{
	free(known->v);
	free(known->compare);
	arena_free(known->arena);
	*known = (struct known_files){0};
}

static size_t free_slot(const struct known_file *v, size_t slots, uint64_t hash)
{
	size_t slot = (size_t)hash & (slots - 1);
	while (v[slot].record != OBJECT_OWN_CONTENT)
		slot = (slot + 1) & (slots - 1);
	return slot;
}

static void grow(struct known_files *known)
{
	size_t slots = known->slots ? known->slots * 2 : FIRST_SLOTS;
	struct known_file *larger = require_memory(malloc(slots * sizeof *larger));
	memset(larger, 0xff, slots * sizeof *larger);
	for (size_t i = 0; i < known->slots; i++)
		if (known->v[i].record != OBJECT_OWN_CONTENT)
			larger[free_slot(larger, slots, known->v[i].hash)] = known->v[i];
	free(known->v);
	known->v = larger;
	known->slots = slots;
}

void known_add(struct known_files *known, uint64_t hash, uint64_t record)
{
	if (known->n * 2 >= known->slots)
		grow(known);
	known->v[free_slot(known->v, known->slots, hash)] =
		(struct known_file){.hash = hash, .record = (uint32_t)(record / 8)};
	known->n++;
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

static const struct object_record *record_of(
	const struct known_files *known, const struct known_file *file)
{
	return (const void *)(known->packing->records.p + (uint64_t)file->record * 8);
}

static int open_file(const struct known_files *known, const struct known_file *file)
{
	const struct object_record *record = record_of(known, file);
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
	for (; at < size; at += block) {
		const size_t part = size - at < block ? (size_t)(size - at) : block;
		if (!fd_read_all(fd, ours, part, (off_t)at) ||
			!fd_read_all(other, theirs, part, (off_t)at) ||
			memcmp(ours, theirs, part) != 0)
			return false;
		store_walk_content(&known->packing->walk, ours, part);
	}
	return true;
}

static bool is_same(struct known_files *known, const struct known_file *file, int fd,
	const unsigned char *start, size_t n, uint64_t size)
{
	FD_CLEANUP int other = open_file(known, file);
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
	const size_t mask = known->slots - 1;
	unsigned compared = 0;
	if (known->slots == 0)
		return OBJECT_OWN_CONTENT;
	for (size_t slot = (size_t)hash & mask;
		known->v[slot].record != OBJECT_OWN_CONTENT && compared < COMPARED_MAX;
		slot = (slot + 1) & mask) {
		const struct known_file *file = &known->v[slot];
		if (file->hash != hash || object_record_file(record_of(known, file))->size != size)
			continue;
		if (is_same(known, file, fd, start, n, size))
			return file->record;
		compared++;
	}
	return OBJECT_OWN_CONTENT;
}
