/* SPDX-License-Identifier: MIT */
#include "backends/runtime/volume/write_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	/*
	 * the smallest block of a file system: beside what changes may be a guest's data, which the
	 * copies do not have
	 */
	BLOCK_BYTES = 1024,
	SUPERBLOCK = 1024,  /* its place */
	SECTOR_BYTES = 512, /* what a disk writes whole or not at all when its power fails */
};

/*
 * The log: this, then as many records. In the byte order of the machine, which does not change
 * between two starts.
 */
struct header {
	char magic[16];
	uint64_t size; /* of the image, afterwards */
	uint64_t count;
};
static const char magic[16] = "mvm image log 1";

struct record {
	uint64_t offset;
	unsigned char before[BLOCK_BYTES], after[BLOCK_BYTES];
};

/* Behind the end of the file there are zeros. */
static bool block_read(int fd, uint64_t offset, unsigned char block[BLOCK_BYTES])
{
	size_t n = 0;
	for (ssize_t got = 1; n < BLOCK_BYTES && got; n += (size_t)got) {
		got = pread(fd, block + n, BLOCK_BYTES - n, (off_t)(offset + n));
		if (got < 0 && errno == EINTR)
			got = 0;
		else if (got < 0)
			return false;
		else if (got == 0)
			break;
	}
	memset(block + n, 0, BLOCK_BYTES - n);
	return true;
}

static bool all_written(int fd, const void *bytes, size_t count, uint64_t offset)
{
	for (const char *from = bytes; count;) {
		ssize_t put = pwrite(fd, from, count, (off_t)offset);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		from += put;
		count -= (size_t)put;
		offset += (uint64_t)put;
	}
	return true;
}

struct writer {
	int log;
	const struct change *change;
	uint64_t count;
};

/* Adds a block that is to become what it is in `after`. */
static bool block_add(struct writer *writer, uint64_t offset)
{
	struct record record = {.offset = offset};
	if (!block_read(writer->change->image, offset, record.before) ||
		!block_read(writer->change->after, offset, record.after))
		return false;
	return memcmp(record.before, record.after, BLOCK_BYTES) == 0 ||
		all_written(writer->log, &record, sizeof record,
			sizeof(struct header) + writer->count++ * sizeof record);
}

/* The first block at or behind `at` with data in one of the copies; -1 behind the last. */
static off_t next_block(const struct change *change, off_t at)
{
	off_t a = lseek(change->before, at, SEEK_DATA), b = lseek(change->after, at, SEEK_DATA);
	off_t next = a < 0 || (b >= 0 && b < a) ? b : a;
	return next < 0 ? next : next / BLOCK_BYTES * BLOCK_BYTES;
}

static bool differences_add(struct writer *writer)
{
	unsigned char before[BLOCK_BYTES], after[BLOCK_BYTES];
	for (off_t at = 0; (at = next_block(writer->change, at)) >= 0; at += BLOCK_BYTES) {
		if (!block_read(writer->change->before, (uint64_t)at, before) ||
			!block_read(writer->change->after, (uint64_t)at, after))
			return false;
		if (memcmp(before, after, BLOCK_BYTES) != 0 && !block_add(writer, (uint64_t)at))
			return false;
	}
	return errno == ENXIO;
}

static bool ranges_add(struct writer *writer)
{
	for (size_t i = 0; i < writer->change->nranges; i++) {
		const struct range *range = &writer->change->ranges[i];
		for (uint64_t at = range->offset; at < range->offset + range->bytes;
			at += BLOCK_BYTES)
			if (!block_add(writer, at))
				return false;
	}
	return true;
}

bool patch_write(const char *log, const struct change *change, struct reason *why)
{
	struct stat st;
	struct header header = {.count = 0};
	memcpy(header.magic, magic, sizeof magic);
	struct writer writer = {
		.log = open(log, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), .change = change};
	bool ok = writer.log >= 0 && fstat(change->after, &st) == 0 && differences_add(&writer) &&
		ranges_add(&writer);
	if (ok) {
		header.size = (uint64_t)st.st_size;
		header.count = writer.count;
		ok = all_written(writer.log, &header, sizeof header, 0) && fsync(writer.log) == 0;
	}
	if (!ok)
		reason_set(why, "cannot write %s: %s", log, strerror(errno));
	if (writer.log >= 0)
		close(writer.log);
	return ok;
}

/* ---- applying ---- */

static bool header_read(int log, struct header *header, struct reason *why)
{
	struct stat st;
	if (fstat(log, &st) != 0 || pread(log, header, sizeof *header, 0) != sizeof *header ||
		memcmp(header->magic, magic, sizeof magic) != 0 ||
		(uint64_t)st.st_size != sizeof *header + header->count * sizeof(struct record))
		return reason_set(why, "its log is not one of ours");
	return true;
}

static bool record_read(int log, uint64_t number, struct record *record)
{
	return pread(log, record, sizeof *record,
		       (off_t)(sizeof(struct header) + number * sizeof *record)) == sizeof *record;
}

/* Whether each sector is as before or as after. */
static bool is_known(const struct record *record, const unsigned char block[BLOCK_BYTES])
{
	for (size_t at = 0; at < BLOCK_BYTES; at += SECTOR_BYTES)
		if (memcmp(block + at, record->before + at, SECTOR_BYTES) != 0 &&
			memcmp(block + at, record->after + at, SECTOR_BYTES) != 0)
			return false;
	return true;
}

/*
 * Nobody else has written to these blocks since the log was made: the superblock is among them,
 * which every mount changes.
 */
static bool is_unchanged(int log, int image, uint64_t count, bool *unchanged)
{
	struct record record;
	unsigned char block[BLOCK_BYTES];
	*unchanged = true;
	for (uint64_t i = 0; i < count && *unchanged; i++) {
		if (!record_read(log, i, &record) || !block_read(image, record.offset, block))
			return false;
		*unchanged = is_known(&record, block);
	}
	return true;
}

/* All blocks but the superblock, or that one alone. */
static bool records_apply(int log, int image, uint64_t count, bool superblock)
{
	struct record record;
	for (uint64_t i = 0; i < count; i++) {
		if (!record_read(log, i, &record))
			return false;
		if ((record.offset == SUPERBLOCK) == superblock &&
			!all_written(image, record.after, BLOCK_BYTES, record.offset))
			return false;
	}
	return fsync(image) == 0;
}

static enum patch_result apply(int log, int image, struct reason *why)
{
	struct header header;
	struct stat st;
	bool unchanged;
	if (!header_read(log, &header, why))
		return PATCH_FAILED;
	if (fstat(image, &st) != 0 || !is_unchanged(log, image, header.count, &unchanged)) {
		reason_set(why, "%s", strerror(errno));
		return PATCH_FAILED;
	}
	/* The size is the first thing that changes. */
	if (!unchanged && (uint64_t)st.st_size != header.size)
		return PATCH_STALE;
	if (!unchanged) {
		reason_set(why, "somebody else has written to it in the middle of its growth");
		return PATCH_FAILED;
	}
	if (ftruncate(image, (off_t)header.size) == 0 && fsync(image) == 0 &&
		records_apply(log, image, header.count, false) &&
		records_apply(log, image, header.count, true))
		return PATCH_APPLIED;
	reason_set(why, "%s", strerror(errno));
	return PATCH_FAILED;
}

enum patch_result patch_apply(const char *log, int image, struct reason *why)
{
	int fd = open(log, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		reason_set(why, "cannot open %s: %s", log, strerror(errno));
		return PATCH_FAILED;
	}
	enum patch_result result = apply(fd, image, why);
	close(fd);
	return result;
}
