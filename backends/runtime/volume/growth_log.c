/* SPDX-License-Identifier: MIT */
#include "backends/runtime/volume/growth_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/plain_file.h"

enum {
	BLOCK_BYTES = 1024, /* of a record */
	SUPERBLOCK = 1024,  /* offset in the image */
	/* the unit that a disk writes completely or not at all in a power failure */
	SECTOR_BYTES = 512,
};

/*
 * The log begins with a header, which the records follow. Numbers are in the machine's byte order.
 */
struct header {
	char magic[16];
	uint64_t size; /* bytes of the image after the growth */
	uint64_t count;
};
static const char magic[16] = "mvm image log 1";

struct record {
	uint64_t offset;
	unsigned char before[BLOCK_BYTES], after[BLOCK_BYTES];
};

/* Bytes after the end of the file are read as zeros. */
static bool block_read(int fd, uint64_t offset, unsigned char block[BLOCK_BYTES])
{
	size_t n = 0;
	while (n < BLOCK_BYTES) {
		ssize_t got = pread(fd, block + n, BLOCK_BYTES - n, (off_t)(offset + n));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	memset(block + n, 0, BLOCK_BYTES - n);
	return true;
}

static bool header_read(int log, struct header *header, struct reason *why)
{
	struct stat st;
	if (fstat(log, &st) != 0 || pread(log, header, sizeof *header, 0) != sizeof *header ||
		memcmp(header->magic, magic, sizeof magic) != 0 ||
		(uint64_t)st.st_size != sizeof *header + header->count * sizeof(struct record))
		return reason_set(why, "the file .grow beside it is not a log of its growth");
	return true;
}

static bool record_read(int log, uint64_t number, struct record *record)
{
	const off_t at = (off_t)(sizeof(struct header) + number * sizeof *record);
	return pread(log, record, sizeof *record, at) == sizeof *record;
}

/* Whether each sector is as before or as after the growth. */
static bool is_known(const struct record *record, const unsigned char block[BLOCK_BYTES])
{
	for (size_t at = 0; at < BLOCK_BYTES; at += SECTOR_BYTES)
		if (memcmp(block + at, record->before + at, SECTOR_BYTES) != 0 &&
			memcmp(block + at, record->after + at, SECTOR_BYTES) != 0)
			return false;
	return true;
}

/*
 * Whether nothing else has written to these blocks since the log was made. They include the
 * superblock, which every mount changes.
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

/* Writes either all blocks but the superblock, or only the superblock. */
static bool records_apply(int log, int image, uint64_t count, bool superblock)
{
	struct record record;
	for (uint64_t i = 0; i < count; i++) {
		if (!record_read(log, i, &record))
			return false;
		if ((record.offset == SUPERBLOCK) == superblock &&
			!fd_write_all(image, record.after, BLOCK_BYTES, (off_t)record.offset))
			return false;
	}
	return fsync(image) == 0;
}

static bool log_apply(int log, int image, const struct header *header, struct reason *why)
{
	const bool sized = ftruncate(image, (off_t)header->size) == 0 && fsync(image) == 0;
	if (sized && records_apply(log, image, header->count, false) &&
		records_apply(log, image, header->count, true))
		return true;
	return reason_set(why, "%s", strerror(errno));
}

static bool apply(int log, int image, struct reason *why)
{
	struct header header;
	struct stat st;
	bool unchanged;
	if (!header_read(log, &header, why))
		return false;
	if (fstat(image, &st) != 0 || !is_unchanged(log, image, header.count, &unchanged))
		return reason_set(why, "%s", strerror(errno));
	/* The size changes first. If it has not changed, no record was applied. */
	if (!unchanged && (uint64_t)st.st_size != header.size)
		return true;
	if (!unchanged)
		return reason_set(why,
			"its growth was interrupted, and something has written to it since: check "
			"a copy of it with e2fsck -f, then remove the file .grow beside it");
	return log_apply(log, image, &header, why);
}

static bool log_remove(const char *log)
{
	char *directory = directory_of(log);
	const bool ok = unlink(log) == 0 && directory_sync(directory);
	free(directory);
	return ok;
}

static bool log_carry_out(const char *log, int image, struct reason *why)
{
	int fd = open(log, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ||
			reason_set(why, "cannot open %s: %s", log, strerror(errno));
	bool ok = apply(fd, image, why);
	close(fd);
	if (!ok)
		return false;
	return log_remove(log) || reason_set(why, "cannot remove %s: %s", log, strerror(errno));
}

bool growth_log_exists(const char *path)
{
	char *log = text("%s.grow", path);
	bool exists = access(log, F_OK) == 0;
	free(log);
	return exists;
}

bool growth_log_draft_exists(const char *path)
{
	char *directory = text("%s.grow.new", path);
	bool exists = access(directory, F_OK) == 0;
	free(directory);
	return exists;
}

void growth_log_draft_remove(const char *path)
{
	static const char *const files[] = {"before", "after", "log"};
	char *directory = text("%s.grow.new", path);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char *file = text("%s/%s", directory, files[i]);
		unlink(file);
		free(file);
	}
	rmdir(directory);
	free(directory);
}

bool growth_log_finish(const char *path, int image, struct reason *why)
{
	char *log = text("%s.grow", path);
	bool ok = log_carry_out(log, image, why);
	free(log);
	return ok;
}
