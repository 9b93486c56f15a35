/* SPDX-License-Identifier: MIT */
#include "imaging/kernel/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/ending.h"
#include "base/file.h"

enum {
	BLOCK_BYTES = 64 * 1024,
	UNPACKED_LIMIT_BYTES = 256 << 20, /* a broken or hostile file must not fill the memory */
};

static void archive_close(struct archive **archive)
{
	archive_read_free(*archive);
}

const char *unpack_reason(struct archive *archive)
{
	const char *text = archive_error_string(archive);
	return text ? text : "it is damaged";
}

/* Returns why it cannot be unpacked; a read error ends the program. */
static const char *failure(struct arena *arena, const char *path, struct archive *archive)
{
	const int error = archive_errno(archive);
	if (error > 0 && error != EILSEQ) /* libarchive's errno for a wrong format */
		ending_unless_absent(path, error);
	return arena_strdup(arena, unpack_reason(archive));
}

/* Copies the archive's only entry into memory; -1 with `why`. */
static int unpack_to_memory(struct arena *arena, const char *path, struct archive *archive,
	uint64_t *size, const char **why)
{
	FD_CLEANUP int memory = memfd_create("unpacked", MFD_CLOEXEC);
	char block[BLOCK_BYTES];
	for (*size = 0;;) {
		la_ssize_t got = archive_read_data(archive, block, sizeof block);
		if (got < 0) {
			*why = failure(arena, path, archive);
			return -1;
		}
		if (got == 0)
			break;
		if (*size + (uint64_t)got > UNPACKED_LIMIT_BYTES)
			errno = EFBIG;
		if (*size + (uint64_t)got > UNPACKED_LIMIT_BYTES ||
			!fd_write_all(memory, block, (size_t)got, (off_t)*size)) {
			*why = strerror(errno);
			return -1;
		}
		*size += (uint64_t)got;
	}
	int kept = memory;
	memory = -1;
	return kept;
}

int unpack_open(struct arena *arena, const char *path, uint64_t *size, const char **why)
{
	FD_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0) {
		ending_unless_absent(path, errno);
		*why = strerror(errno);
		return -1;
	}
	if (!S_ISREG(st.st_mode) || st.st_size == 0) {
		*why = S_ISREG(st.st_mode) ? "it is empty" : "it is not a regular file";
		return -1;
	}
	__attribute__((cleanup(archive_close))) struct archive *archive =
		require_memory(archive_read_new());
	archive_read_support_filter_gzip(archive);
	archive_read_support_filter_xz(archive);
	archive_read_support_filter_zstd(archive);
	archive_read_support_format_raw(archive);
	struct archive_entry *entry;
	if (archive_read_open_fd(archive, fd, BLOCK_BYTES) != ARCHIVE_OK ||
		archive_read_next_header(archive, &entry) != ARCHIVE_OK) {
		*why = failure(arena, path, archive);
		return -1;
	}
	/* The file itself always counts as the last filter. */
	if (archive_filter_count(archive) > 1)
		return unpack_to_memory(arena, path, archive, size, why);
	if (lseek(fd, 0, SEEK_SET) != 0) {
		*why = strerror(errno);
		return -1;
	}
	*size = (uint64_t)st.st_size;
	int kept = fd;
	fd = -1;
	return kept;
}
