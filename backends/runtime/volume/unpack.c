/* SPDX-License-Identifier: MIT */
#include "backends/runtime/volume/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/plain_file.h"

/* Sources: POSIX.1-2001, ustar and pax; GNU tar's manual, "Sparse Formats". */
enum {
	BLOCK = 512,
	SIZE_AT = 124,
	SIZE_BYTES = 12,
	TYPE_AT = 156,
	PAX_MAX = 64 * 1024,
	COPY_BYTES = 64 * 1024,
};

struct reader {
	int archive, image;
	uint64_t left; /* bytes of the member that have not been read */
	struct reason *why;
	unsigned char block[COPY_BYTES];
};

static bool broken(struct reader *reader, const char *how)
{
	return reason_set(reader->why, "its archive in the runner is damaged: %s", how);
}

static bool read_all(struct reader *reader, void *to, size_t count)
{
	for (char *at = to; count;) {
		ssize_t got = read(reader->archive, at, count);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return reason_set(
				reader->why, "cannot read its archive: %s", strerror(errno));
		if (got == 0)
			return broken(reader, "it is truncated");
		at += got;
		count -= (size_t)got;
	}
	return true;
}

static bool write_all(
	struct reader *reader, const unsigned char *from, size_t count, uint64_t offset)
{
	return fd_write_all(reader->image, from, count, (off_t)offset) ||
		reason_set(reader->why, "%s", strerror(errno));
}

/* Parses a header's size: octal digits, or a number of base 256 if the first bit is set. */
static uint64_t header_size(const unsigned char *header)
{
	uint64_t value = 0;
	const unsigned char *field = header + SIZE_AT;
	for (int i = 0; i < SIZE_BYTES; i++)
		if (field[0] & 0x80)
			value = value << 8 | (i ? field[i] : field[i] & 0x7f);
		else if (field[i] >= '0' && field[i] <= '7')
			value = value << 3 | (uint64_t)(field[i] - '0');
	return value;
}

/* Attributes of the following member from its pax header. */
struct member {
	uint64_t size, real_size;
	bool sparse, has_size;
};

/* Lines have the form "LENGTH KEY=VALUE\n", where LENGTH includes the whole line. */
static bool pax_read(struct reader *reader, uint64_t size, struct member *member)
{
	char text[PAX_MAX + 1];
	if (size > PAX_MAX)
		return broken(reader, "its header is too long");
	if (!read_all(reader, text, (size_t)((size + BLOCK - 1) / BLOCK * BLOCK)))
		return false;
	text[size] = '\0';
	for (char *line = text, *end = text + size; line < end;) {
		char *key;
		unsigned long long length = strtoull(line, &key, 10);
		if (key == line || *key != ' ' || length < 3 ||
			length > (unsigned long long)(end - line) || line[length - 1] != '\n')
			return broken(reader, "its header is invalid");
		line[length - 1] = '\0';
		key++;
		if (strncmp(key, "size=", 5) == 0) {
			member->size = strtoull(key + 5, NULL, 10);
			member->has_size = true;
		} else if (strncmp(key, "GNU.sparse.realsize=", 20) == 0) {
			member->real_size = strtoull(key + 20, NULL, 10);
		} else if (strcmp(key, "GNU.sparse.major=1") == 0) {
			member->sparse = true;
		}
		line += length;
	}
	return true;
}

static bool member_find(struct reader *reader, struct member *member)
{
	unsigned char header[BLOCK];
	*member = (struct member){.size = 0};
	if (!read_all(reader, header, sizeof header))
		return false;
	if (memcmp(header + 257, "ustar", 5) != 0)
		return broken(reader, "it is not a tar archive");
	if (header[TYPE_AT] == 'x' &&
		(!pax_read(reader, header_size(header), member) ||
			!read_all(reader, header, sizeof header)))
		return false;
	if (header[TYPE_AT] != '0')
		return broken(reader, "it contains no file");
	if (!member->has_size)
		member->size = header_size(header);
	if (!member->sparse)
		member->real_size = member->size;
	return true;
}

/* ---- its content ---- */

static bool stretch_copy(struct reader *reader, uint64_t offset, uint64_t count)
{
	if (count > reader->left)
		return broken(reader, "it has fewer bytes than its map says");
	reader->left -= count;
	while (count) {
		size_t part = count < COPY_BYTES ? (size_t)count : COPY_BYTES;
		if (!read_all(reader, reader->block, part) ||
			!write_all(reader, reader->block, part, offset))
			return false;
		offset += part;
		count -= part;
	}
	return true;
}

/* The map consists of decimal numbers, one per line; its last block is padded. */
struct map {
	struct reader *reader;
	unsigned char block[BLOCK];
	size_t at;
};

static bool number_next(struct map *map, uint64_t *number)
{
	*number = 0;
	for (int digits = 0;; digits++) {
		if (map->at == BLOCK) {
			if (map->reader->left < BLOCK)
				return broken(map->reader, "its map is truncated");
			if (!read_all(map->reader, map->block, BLOCK))
				return false;
			map->reader->left -= BLOCK;
			map->at = 0;
		}
		unsigned char c = map->block[map->at++];
		if (c == '\n' && digits)
			return true;
		if (c < '0' || c > '9' || digits > 18)
			return broken(map->reader, "its map is invalid");
		*number = *number * 10 + (c - '0');
	}
}

struct stretch {
	uint64_t offset, count;
};

static bool map_read(
	struct reader *reader, uint64_t real_size, struct stretch **stretches, uint64_t *count)
{
	struct map map = {.reader = reader, .at = BLOCK};
	if (!number_next(&map, count))
		return false;
	if (*count > reader->left)
		return broken(reader, "its map is invalid");
	*stretches = calloc((size_t)*count + 1, sizeof **stretches);
	if (!*stretches)
		return reason_set(reader->why, "%s", strerror(errno));
	for (uint64_t i = 0; i < *count; i++) {
		struct stretch *stretch = &(*stretches)[i];
		if (!number_next(&map, &stretch->offset) || !number_next(&map, &stretch->count))
			return false;
		if (stretch->offset > real_size || stretch->count > real_size - stretch->offset)
			return broken(reader, "its map is longer than the image");
	}
	return true;
}

static bool sparse_copy(struct reader *reader, uint64_t real_size)
{
	struct stretch *stretches = NULL;
	uint64_t count = 0;
	bool ok = map_read(reader, real_size, &stretches, &count);
	for (uint64_t i = 0; ok && i < count; i++)
		ok = stretch_copy(reader, stretches[i].offset, stretches[i].count);
	free(stretches);
	return ok;
}

/* Otherwise the packing program might receive SIGPIPE. */
static bool end_read(struct reader *reader)
{
	for (ssize_t got = 1; got;) {
		got = read(reader->archive, reader->block, sizeof reader->block);
		if (got < 0 && errno != EINTR)
			return reason_set(
				reader->why, "cannot read its archive: %s", strerror(errno));
	}
	return true;
}

bool archive_unpack(int archive, int image, struct reason *why)
{
	struct reader reader = {.archive = archive, .image = image, .why = why};
	struct member member;
	if (!member_find(&reader, &member))
		return false;
	reader.left = member.size;
	if (ftruncate(image, (off_t)member.real_size) != 0)
		return reason_set(why, "%s", strerror(errno));
	return (member.sparse ? sparse_copy(&reader, member.real_size)
			      : stretch_copy(&reader, 0, member.size)) &&
		end_read(&reader);
}
