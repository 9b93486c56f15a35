/* SPDX-License-Identifier: MIT */
#include <archive.h>
#include <archive_entry.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imaging/kernel/file.h"
#include "imaging/kernel/unpack.h"

enum {
	SCAN_BLOCK_BYTES = 256 * 1024,
	SCAN_LIMIT_BYTES = 512 << 20, /* no kernel is larger; stops a decompression bomb */
	OVERLAP = 14 + KERNEL_VERSION_LIMIT,
};

const char *kernel_version_word(struct arena *arena, const char *text, size_t length)
{
	size_t n = 0;
	while (n < length && n < KERNEL_VERSION_LIMIT && isgraph((unsigned char)text[n]))
		n++;
	if (n == 0 || n == KERNEL_VERSION_LIMIT || n == length || !isdigit((unsigned char)text[0]))
		return NULL;
	return arena_strndup(arena, text, n);
}

/* Finds linux_banner in the read-only data: "Linux version 6.1.0-56-amd64 (builder@host) …". */
static const char *banner_version(struct arena *arena, const char *block, size_t length)
{
	static const char banner[] = "Linux version ";
	const size_t banner_length = sizeof banner - 1;
	const char *end = block + length;
	for (const char *p = block; (p = memmem(p, (size_t)(end - p), banner, banner_length));
		p++) {
		const char *version = kernel_version_word(
			arena, p + banner_length, (size_t)(end - p) - banner_length);
		if (version)
			return version;
	}
	return NULL;
}

const char *kernel_file_damaged(const struct kernel_file *file, struct archive *archive)
{
	return arena_printf(file->arena, "damaged or truncated (%s)", unpack_reason(archive));
}

struct archive *kernel_file_open_plain(const struct kernel_file *file, const char **why)
{
	struct archive *archive = require_memory(archive_read_new());
	archive_read_support_filter_gzip(archive);
	archive_read_support_format_raw(archive);
	struct archive_entry *entry;
	if (lseek(file->fd, 0, SEEK_SET) == 0 &&
		archive_read_open_fd(archive, file->fd, SCAN_BLOCK_BYTES) == ARCHIVE_OK &&
		archive_read_next_header(archive, &entry) == ARCHIVE_OK)
		return archive;
	*why = kernel_file_damaged(file, archive);
	archive_read_free(archive);
	return NULL;
}

/*
 * Keeps the end of each block, because the banner may cross into the next. Returns the file's
 * defect, or NULL.
 */
static const char *scan(
	const struct kernel_file *file, struct archive *archive, char *window, const char **version)
{
	/* the file itself counts as a filter */
	const bool is_packed = archive_filter_count(archive) > 1;
	size_t kept = 0;
	la_ssize_t got = 1;
	for (uint64_t seen = 0; got > 0 && (is_packed || !*version) && seen < SCAN_LIMIT_BYTES;
		seen += (uint64_t)got) {
		got = archive_read_data(archive, window + kept, SCAN_BLOCK_BYTES);
		if (got < 0)
			return kernel_file_damaged(file, archive);
		const size_t filled = kept + (size_t)got;
		if (!*version)
			*version = banner_version(file->arena, window, filled);
		kept = filled < OVERLAP ? filled : OVERLAP;
		memmove(window, window + filled - kept, kept);
	}
	return NULL;
}

const char *kernel_file_version(const struct kernel_file *file, const char **version)
{
	const char *why;
	*version = NULL;
	struct archive *archive = kernel_file_open_plain(file, &why);
	if (!archive)
		return why;
	char *window = require_memory(malloc(OVERLAP + SCAN_BLOCK_BYTES));
	why = scan(file, archive, window, version);
	free(window);
	archive_read_free(archive);
	return why;
}
