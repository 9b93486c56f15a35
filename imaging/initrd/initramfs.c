/* SPDX-License-Identifier: MIT */
#include "imaging/initrd/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"
#include "imaging/initrd/gzip_pieces.h"
#include "imaging/kernel/unpack.h"

enum {
	PIECE_BYTES = 1 << 20, /* largest part of a file that is compressed as one piece */
	SMALL_BYTES = 8 << 10, /* a smaller part shares a piece with its neighbours */
};

struct initramfs {
	struct arena *arena;
	struct diag *diag;
	const char *path;
	int fd;
	struct archive *archive;
	struct buf pending; /* of the archive, not compressed yet */
	struct gzip_stream gzip;
	uint32_t time;
	uint32_t inodes; /* last number given */
};

static bool write_failed(struct initramfs *initramfs)
{
	const char *why = archive_error_string(initramfs->archive);
	return diag_error(initramfs->diag, STATUS_FAILED, NULL, "unwritable-file",
		"cannot write %s: %s", initramfs->path, why ? why : strerror(errno));
}

/* Receives the archive's bytes from libarchive. */
static la_ssize_t take(struct archive *archive, void *context, const void *bytes, size_t count)
{
	struct initramfs *initramfs = context;
	(void)archive;
	buf_add(&initramfs->pending, bytes, count);
	return (la_ssize_t)count;
}

static bool flush(struct initramfs *initramfs, bool common)
{
	bool ok = gzip_add(&initramfs->gzip, initramfs->pending.p, initramfs->pending.n, common);
	initramfs->pending.n = 0;
	return ok || write_failed(initramfs);
}

static bool archive_begin(struct initramfs *initramfs)
{
	struct archive *archive = initramfs->archive;
	if (archive_write_set_format_cpio_newc(archive) != ARCHIVE_OK)
		return false;
	/*
	 * Disables blocks: the last one would be padded, and the kernel would look for another
	 * archive in the padding.
	 */
	if (archive_write_set_bytes_per_block(archive, 0) != ARCHIVE_OK)
		return false;
	return archive_write_open(archive, initramfs, NULL, take, NULL) == ARCHIVE_OK;
}

struct initramfs *initramfs_create(struct arena *arena, struct diag *diag, const char *path,
	uint32_t time, struct gzip_memo *memo)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		diag_error(diag, STATUS_FAILED, NULL, "unwritable-file", "cannot create %s: %s",
			path, strerror(errno));
		return NULL;
	}
	struct initramfs *initramfs = arena_alloc(arena, sizeof *initramfs);
	*initramfs = (struct initramfs){
		.arena = arena, .diag = diag, .path = path, .fd = fd, .time = time};
	initramfs->archive = require_memory(archive_write_new());
	if (archive_begin(initramfs) && fchmod(fd, 0644) == 0 &&
		gzip_begin(&initramfs->gzip, fd, memo))
		return initramfs;
	write_failed(initramfs);
	initramfs_abandon(initramfs);
	return NULL;
}

/* Starts an entry; its content, if any, follows by archive_write_data. */
static bool add_entry(
	struct initramfs *initramfs, const char *name, mode_t mode, uint64_t size, dev_t device)
{
	struct archive_entry *entry = require_memory(archive_entry_new());
	archive_entry_set_pathname(entry, name);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	archive_entry_set_mtime(entry, initramfs->time, 0);
	archive_entry_set_ino(entry, ++initramfs->inodes);
	archive_entry_set_nlink(entry, 1); /* for more, the kernel looks for hard links */
	archive_entry_set_size(entry, (la_int64_t)size);
	if (S_ISCHR(mode))
		archive_entry_set_rdev(entry, device);
	bool ok = archive_write_header(initramfs->archive, entry) == ARCHIVE_OK;
	archive_entry_free(entry);
	return ok || write_failed(initramfs);
}

/* Adds at most PIECE_BYTES. */
static bool add_piece(struct initramfs *initramfs, const void *bytes, size_t count)
{
	bool is_piece = count >= SMALL_BYTES;
	return (!is_piece || flush(initramfs, false)) &&
		(archive_write_data(initramfs->archive, bytes, count) == (la_ssize_t)count ||
			write_failed(initramfs)) &&
		(!is_piece || flush(initramfs, true));
}

static bool add_data(struct initramfs *initramfs, const char *bytes, size_t count)
{
	bool ok = true;
	for (size_t part; ok && count; bytes += part, count -= part) {
		part = count < PIECE_BYTES ? count : PIECE_BYTES;
		ok = add_piece(initramfs, bytes, part);
	}
	return ok;
}

bool initramfs_add_directory(struct initramfs *initramfs, const char *name, mode_t mode)
{
	return add_entry(initramfs, name, S_IFDIR | mode, 0, 0);
}

bool initramfs_add_character_device(
	struct initramfs *initramfs, const char *name, mode_t mode, unsigned major, unsigned minor)
{
	return add_entry(initramfs, name, S_IFCHR | mode, 0, makedev(major, minor));
}

bool initramfs_add_bytes(
	struct initramfs *initramfs, const char *name, mode_t mode, const void *bytes, size_t count)
{
	return add_entry(initramfs, name, S_IFREG | mode, count, 0) &&
		add_data(initramfs, bytes, count);
}

static bool unreadable(struct initramfs *initramfs, const char *source, const char *why)
{
	return diag_error(initramfs->diag, STATUS_INPUT, NULL, "unreadable-file",
		"cannot read %s: %s", source, why);
}

static bool add_content(struct initramfs *initramfs, int fd, uint64_t size, const char *source)
{
	char *block = arena_alloc(initramfs->arena, size < PIECE_BYTES ? size : PIECE_BYTES);
	for (uint64_t at = 0; at < size;) {
		size_t part = size - at < PIECE_BYTES ? (size_t)(size - at) : PIECE_BYTES;
		if (!fd_read_all(fd, block, part, (off_t)at))
			return unreadable(initramfs, source, strerror(errno));
		if (!add_piece(initramfs, block, part))
			return false;
		at += part;
	}
	return true;
}

static int plain_open(const char *source, uint64_t *size, const char **why)
{
	FD_CLEANUP int fd = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0) {
		*why = strerror(errno);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		*why = "it is not a regular file";
		return -1;
	}
	*size = (uint64_t)st.st_size;
	int kept = fd;
	fd = -1;
	return kept;
}

bool initramfs_add_file(
	struct initramfs *initramfs, const char *name, mode_t mode, const char *source, bool unpack)
{
	uint64_t size;
	const char *why;
	FD_CLEANUP int fd = unpack ? unpack_open(initramfs->arena, source, &size, &why)
				   : plain_open(source, &size, &why);
	if (fd < 0)
		return unreadable(initramfs, source, why);
	if (size > UINT32_MAX)
		return unreadable(
			initramfs, source, "it is larger than 4 GiB, the limit of an initramfs");
	return add_entry(initramfs, name, S_IFREG | mode, size, 0) &&
		add_content(initramfs, fd, size, source);
}

static void release(struct initramfs *initramfs)
{
	archive_write_free(initramfs->archive); /* it may still write to `pending` */
	buf_free(&initramfs->pending);
	fd_close(&initramfs->fd);
}

bool initramfs_finish(struct initramfs *initramfs, uint64_t *bytes)
{
	/* Each step reports its own failure. */
	if (!(archive_write_close(initramfs->archive) == ARCHIVE_OK || write_failed(initramfs)) ||
		!flush(initramfs, false) ||
		!(gzip_end(&initramfs->gzip) || write_failed(initramfs))) {
		initramfs_abandon(initramfs);
		return false;
	}
	*bytes = initramfs->gzip.end;
	release(initramfs);
	return true;
}

void initramfs_abandon(struct initramfs *initramfs)
{
	release(initramfs);
	unlink(initramfs->path);
}
