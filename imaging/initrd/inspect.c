/* SPDX-License-Identifier: MIT */
/*
 * The formats are those of Linux, which skips zero bytes before each: init/initramfs.c and
 * lib/decompress.c.
 */
#include "imaging/initrd/inspect.h"

#include <archive.h>
#include <archive_entry.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/arena.h"
#include "base/ending.h"
#include "base/file.h"

enum { HEAD_BYTES = 4096, MAGIC_BYTES = 6 };

static bool begins_with(const char *head, size_t size, const char *magic, size_t length)
{
	return size >= length && memcmp(head, magic, length) == 0;
}

static bool is_cpio(const char *head, size_t size)
{
	while (size && !*head)
		head++, size--;
	/* Padding may fill what was read. */
	return !size || begins_with(head, size, "070701", MAGIC_BYTES) ||
		begins_with(head, size, "070702", MAGIC_BYTES);
}

static bool is_text(const char *head, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (!isprint((unsigned char)head[i]) && !isspace((unsigned char)head[i]))
			return false;
	return true;
}

static void archive_close(struct archive **archive)
{
	archive_read_free(*archive);
}

static const char *compressed_inspect(int fd)
{
	char head[HEAD_BYTES];
	struct archive_entry *entry;
	__attribute__((cleanup(archive_close))) struct archive *archive =
		require_memory(archive_read_new());
	archive_read_support_filter_gzip(archive);
	archive_read_support_filter_bzip2(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_lzma(archive);
	archive_read_support_filter_zstd(archive);
	archive_read_support_format_raw(archive);
	if (archive_read_open_fd(archive, fd, HEAD_BYTES) != ARCHIVE_OK ||
		archive_read_next_header(archive, &entry) != ARCHIVE_OK)
		return "damaged compressed data";
	const la_ssize_t got = archive_read_data(archive, head, sizeof head);
	if (got < 0)
		return "damaged compressed data";
	return is_cpio(head, (size_t)got) && got ? NULL : "compressed data of another kind";
}

const char *initrd_inspect(const char *path)
{
	static const struct {
		const char *magic;
		size_t length;
		bool unpacked; /* libarchive can unpack it */
	} compressed[] = {
		{"\x1f\x8b", 2, true}, {"BZh", 3, true}, {"\x5d\0\0", 3, true},
		{"\xfd"
		 "7zXZ",
			5, true},
		{"\x28\xb5\x2f\xfd", 4, true}, {"\x89LZO", 4, false},
		{"\x02\x21\x4c\x18", 4, false}, /* lz4, in the old format */
	};
	char head[HEAD_BYTES];
	FD_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const ssize_t got = fd < 0 ? -1 : read(fd, head, sizeof head);
	if (got < 0) {
		ending_unless_absent(path, errno);
		return "unreadable";
	}
	size_t size = (size_t)got, zeros = 0;
	while (zeros < size && !head[zeros])
		zeros++;
	size -= zeros;
	for (size_t i = 0; i < countof(compressed); i++)
		if (begins_with(head + zeros, size, compressed[i].magic, compressed[i].length)) {
			if (!compressed[i].unpacked || zeros)
				return NULL;
			return lseek(fd, 0, SEEK_SET) == 0 ? compressed_inspect(fd) : "unreadable";
		}
	if (is_cpio(head + zeros, size))
		return NULL;
	return is_text(head + zeros, size) ? "a text file" : "unknown data";
}
