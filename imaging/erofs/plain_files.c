/* SPDX-License-Identifier: MIT */
/*
 * Where the file system shares blocks, only the last page of a file is read: it is copied, because
 * the rest of its block may hold anything, and a guest that maps the page would see it. Size and
 * last page find the files that may have the same content, and only those are compared.
 */
#include "imaging/erofs/plain_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/holes.h"
#include "base/table.h"
#include "imaging/disk/writer.h"
#include "imaging/erofs/link.h"

enum { PAGE = 4096, GATHERED_MAX = 64 * PAGE, COMPARE_BYTES = 128 * 1024 };

struct placed {
	uint64_t size, place;
	uint64_t hash; /* of the last page and the size */
	dev_t device;
	ino_t inode;
};

struct plain_files {
	struct image_writer *image;
	struct erofs_linker *linker;

	struct arena *arena;
	VEC(struct placed) placed;
	struct table table; /* of indices of `placed` */

	/* Last pages of consecutive files, which are written together. */
	unsigned char gathered[GATHERED_MAX];
	uint64_t gathered_at;
	size_t gathered_bytes;

	uint64_t shared;
	dev_t unshared; /* if `is_unshared`: the file system that cannot share with the image's */
	bool is_unshared;
	bool is_unwritable; /* errno has the reason */
	unsigned char compare[2][COMPARE_BYTES];
};

/* The file that is being placed. */
struct source {
	int fd;
	uint64_t size;
	uint64_t whole; /* bytes before the last page */
	struct stat st;
	unsigned char last[PAGE]; /* the last page, with zeros after the file's end */
};

struct plain_files *plain_files_new(struct image_writer *image, struct erofs_linker *linker)
{
	struct plain_files *files = require_memory(calloc(1, sizeof *files));
	files->image = image;
	files->linker = linker;
	files->arena = arena_new();
	return files;
}

void plain_files_free(struct plain_files *files)
{
	if (!files)
		return;
	table_free(&files->table);
	arena_free(files->arena);
	free(files);
}

uint64_t plain_files_shared(const struct plain_files *files)
{
	return files->shared;
}

static bool source_read(struct source *source)
{
	source->whole = (source->size - 1) / PAGE * PAGE;
	memset(source->last, 0, sizeof source->last);
	return fstat(source->fd, &source->st) == 0 &&
		fd_read_all(source->fd, source->last, (size_t)(source->size - source->whole),
			(off_t)source->whole);
}

/* ---- last pages ---- */

bool plain_files_finish(struct plain_files *files)
{
	const size_t bytes = files->gathered_bytes;
	files->gathered_bytes = 0;
	return image_writer_put(files->image, files->gathered, bytes, files->gathered_at);
}

static bool put_page(struct plain_files *files, const unsigned char *page, uint64_t at)
{
	const bool follows = at == files->gathered_at + files->gathered_bytes;
	if ((!follows || files->gathered_bytes == GATHERED_MAX) && !plain_files_finish(files))
		return false;
	if (!files->gathered_bytes)
		files->gathered_at = at;
	memcpy(files->gathered + files->gathered_bytes, page, PAGE);
	files->gathered_bytes += PAGE;
	return true;
}

/* ---- files with the same content ---- */

static uint64_t hash_of(const struct source *source)
{
	return XXH3_64bits_withSeed(source->last, PAGE, source->size);
}

static bool image_read(struct plain_files *files, size_t count, uint64_t at)
{
	files->is_unwritable = !image_writer_read(files->image, files->compare[1], count, at);
	return !files->is_unwritable;
}

/*
 * The last page is written last: when it can be read, the image does not end in a hole before it.
 */
static bool has_last_page(struct plain_files *files, const struct source *source, uint64_t place)
{
	files->is_unwritable = !plain_files_finish(files);
	return !files->is_unwritable && image_read(files, PAGE, place + source->whole) &&
		memcmp(source->last, files->compare[1], PAGE) == 0;
}

/* Sets errno if something cannot be read or written, else to 0. */
static bool has_bytes(struct plain_files *files, const struct source *source, uint64_t place)
{
	errno = 0;
	if (!has_last_page(files, source, place))
		return false;
	for (uint64_t at = 0; at < source->whole;) {
		const uint64_t left = source->whole - at;
		const size_t part = left < COMPARE_BYTES ? (size_t)left : COMPARE_BYTES;
		if (!fd_read_all(source->fd, files->compare[0], part, (off_t)at) ||
			!image_read(files, part, place + at))
			return false;
		if (memcmp(files->compare[0], files->compare[1], part) != 0)
			return errno = 0, false;
		at += part;
	}
	return true;
}

static bool is_same_file(const struct placed *placed, const struct source *source)
{
	return placed->device == source->st.st_dev && placed->inode == source->st.st_ino;
}

/* The hash only finds candidates: their bytes are compared. */
static const struct placed *find_same(
	struct plain_files *files, const struct source *source, uint64_t hash)
{
	struct table_search search = table_search(hash);
	errno = 0;
	for (size_t i; table_next(&files->table, &search, &i);) {
		const struct placed *placed = &files->placed.v[i];
		if (placed->hash != hash || placed->size != source->size)
			continue;
		if (is_same_file(placed, source) || has_bytes(files, source, placed->place))
			return placed;
		if (errno)
			return NULL;
	}
	return NULL;
}

static void remember(
	struct plain_files *files, const struct source *source, uint64_t hash, uint64_t place)
{
	const struct placed placed = {.size = source->size,
		.place = place,
		.hash = hash,
		.device = source->st.st_dev,
		.inode = source->st.st_ino};
	table_add(NULL, &files->table, hash, files->placed.n);
	vec_push(files->arena, &files->placed, placed);
}

/* ---- whole pages ---- */

/* Whether the error is about both file systems, and not about this file. */
static bool is_general(int error)
{
	return error == EXDEV || error == EOPNOTSUPP || error == ENOTTY || error == ENOSYS;
}

static bool share(struct plain_files *files, const struct source *source, uint64_t place)
{
	if (files->is_unshared && files->unshared == source->st.st_dev)
		return false;
	if (image_writer_share(files->image, source->fd, 0, source->whole, place)) {
		files->shared += source->whole;
		return true;
	}
	if (is_general(errno)) {
		files->is_unshared = true;
		files->unshared = source->st.st_dev;
	}
	return false;
}

/* Holes stay holes in the image, because nothing is written there. */
static bool copy(struct plain_files *files, const struct source *source, uint64_t place)
{
	for (uint64_t at = 0; at < source->whole;) {
		const off_t data = lseek(source->fd, (off_t)at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		const uint64_t from = data < 0 ? at : (uint64_t)data / PAGE * PAGE;
		if (from >= source->whole)
			break;
		const off_t hole = data < 0 ? -1 : lseek(source->fd, data, SEEK_HOLE);
		uint64_t to = hole < 0 ? source->whole : ((uint64_t)hole + PAGE - 1) / PAGE * PAGE;
		to = to < source->whole ? to : source->whole;
		if (!image_writer_copy(files->image, source->fd, from, to - from, place + from))
			return false;
		at = to;
	}
	return true;
}

enum plain_result plain_files_add(
	struct plain_files *files, int fd, uint64_t size, uint64_t *place, bool *is_new)
{
	struct source source = {.fd = fd, .size = size};
	if (!source_read(&source))
		return PLAIN_UNREADABLE;
	const uint64_t hash = hash_of(&source);
	const struct placed *same = find_same(files, &source, hash);
	if (!same && errno)
		return files->is_unwritable ? PLAIN_UNWRITABLE : PLAIN_UNREADABLE;
	*is_new = !same;
	*place = same ? same->place : erofs_linker_reserve(files->linker, source.whole + PAGE);
	if (same)
		return PLAIN_PLACED;
	if (source.whole && !share(files, &source, *place) && !copy(files, &source, *place))
		return PLAIN_UNWRITABLE;
	if (!put_page(files, source.last, *place + source.whole))
		return PLAIN_UNWRITABLE;
	remember(files, &source, hash, *place);
	return PLAIN_PLACED;
}
