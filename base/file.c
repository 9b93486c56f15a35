/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/ending.h"

enum { COPY_BUFFER_BYTES = 256 * 1024 };

static bool read_stream(int fd, size_t limit, struct buf *buf)
{
	char block[64 * 1024];
	for (;;) {
		ssize_t got = read(fd, block, sizeof block);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		buf_add(buf, block, (size_t)got);
		if (buf->n > limit) {
			errno = EFBIG;
			return false;
		}
	}
}

bool file_read_at(struct arena *arena, struct diag *diag, const struct pos *named, const char *path,
	size_t limit, struct bytes *out)
{
	bool standard_input = strcmp(path, "-") == 0;
	const struct pos whole = {.file = path},
			 *where = named ? named
		: standard_input        ? NULL
					: &whole;
	FD_CLEANUP int fd = standard_input ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return diag_error(diag, STATUS_INPUT, where, "unreadable-file",
			"cannot open %s: %s", path, strerror(errno));
	BUF_CLEANUP struct buf buf = {0};
	struct stat st;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size > limit)
		errno = EFBIG;
	else if (read_stream(fd, limit, &buf)) {
		*out = (struct bytes){arena_strndup(arena, buf_text(&buf), buf.n), buf.n};
		return true;
	}
	if (errno == EFBIG)
		return diag_error(diag, STATUS_INPUT, where, "file-too-large",
			"%s is larger than %zu MiB", path, limit >> 20);
	return diag_error(diag, STATUS_INPUT, where, "unreadable-file", "cannot read %s: %s", path,
		strerror(errno));
}

bool file_read(
	struct arena *arena, struct diag *diag, const char *path, size_t limit, struct bytes *out)
{
	return file_read_at(arena, diag, NULL, path, limit, out);
}

static bool copy_by_hand(int from, off_t from_offset, int to, off_t to_offset, uint64_t count)
{
	char *block = require_memory(malloc(COPY_BUFFER_BYTES));
	bool ok = true;
	while (ok && count) {
		size_t part = count < COPY_BUFFER_BYTES ? (size_t)count : COPY_BUFFER_BYTES;
		ok = fd_read_all(from, block, part, from_offset) &&
			fd_write_all(to, block, part, to_offset);
		from_offset += (off_t)part;
		to_offset += (off_t)part;
		count -= part;
	}
	int saved = errno;
	free(block);
	errno = saved;
	return ok;
}

/*
 * Whether the kernel or the file system does not support the call, so that a simpler one should be
 * tried.
 */
static bool copy_is_unsupported(int error)
{
	return error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP ||
		error == EBADF || error == EPERM || error == ETXTBSY || error == ENOTTY;
}

bool fd_clone_range(int from, off_t from_offset, int to, off_t to_offset, uint64_t count)
{
	const uint64_t unaligned = ((uint64_t)from_offset | (uint64_t)to_offset | count) & 4095;
	if (unaligned || count == 0)
		return false;
	struct file_clone_range range = {.src_fd = from,
		.src_offset = (uint64_t)from_offset,
		.src_length = count,
		.dest_offset = (uint64_t)to_offset};
	return ioctl(to, FICLONERANGE, &range) == 0;
}

bool fd_copy_range(int from, off_t from_offset, int to, off_t to_offset, uint64_t count)
{
	if (fd_clone_range(from, from_offset, to, to_offset, count))
		return true;
	while (count) {
		size_t part = count > (1u << 30) ? 1u << 30 : (size_t)count;
		ssize_t copied = copy_file_range(from, &from_offset, to, &to_offset, part, 0);
		if (copied < 0 && errno == EINTR)
			continue;
		if (copied < 0 && !copy_is_unsupported(errno))
			return false;
		if (copied <= 0)
			return copy_by_hand(from, from_offset, to, to_offset, count);
		count -= (uint64_t)copied;
	}
	return true;
}

/* `shown`: the name for the message, as `path` may be temporary. */
static bool write_failed(struct diag *diag, const char *path, const char *shown)
{
	int error = errno;
	diag_error(diag, STATUS_FAILED, NULL, "unwritable-file", "cannot write %s: %s", shown,
		strerror(error));
	unlink(path);
	return false;
}

static int create(struct diag *diag, const char *path, const char *shown, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || fchmod(fd, mode) != 0) {
		diag_error(diag, STATUS_FAILED, NULL, "unwritable-file", "cannot create %s: %s",
			shown, strerror(errno));
		if (fd >= 0)
			unlink(path);
		fd_close(&fd);
	}
	return fd;
}

bool file_write(struct diag *diag, const char *path, const void *bytes, size_t count, mode_t mode)
{
	FD_CLEANUP int fd = create(diag, path, path, mode);
	if (fd < 0)
		return false;
	return fd_write_all(fd, bytes, count, 0) || write_failed(diag, path, path);
}

bool file_rewrite(struct arena *arena, struct diag *diag, const char *path, const void *bytes,
	size_t count, mode_t mode)
{
	const char *temporary = arena_printf(arena, "%s.new-%ld", path, (long)getpid());
	unlink(temporary);
	FD_CLEANUP int fd = create(diag, temporary, path, mode);
	if (fd < 0)
		return false;
	if (!fd_write_all(fd, bytes, count, 0) || fsync(fd) != 0)
		return write_failed(diag, temporary, path);
	if (rename(temporary, path) == 0) {
		directory_sync(path_parent(arena, path));
		return true;
	}
	int error = errno;
	unlink(temporary);
	return diag_error(diag, STATUS_FAILED, NULL, "unwritable-file", "cannot write %s: %s", path,
		strerror(error));
}

bool file_copy(struct diag *diag, const char *source, const char *target, mode_t mode)
{
	FD_CLEANUP int from = open(source, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (from < 0 || fstat(from, &st) != 0)
		return diag_error(diag, STATUS_INPUT, NULL, "unreadable-file", "cannot open %s: %s",
			source, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return diag_error(diag, STATUS_INPUT, NULL, "unreadable-file",
			"%s is not a regular file", source);
	FD_CLEANUP int to = create(diag, target, target, mode);
	if (to < 0)
		return false;
	return fd_copy_range(from, 0, to, 0, (uint64_t)st.st_size) ||
		write_failed(diag, target, target);
}

bool path_exists(const char *path)
{
	struct stat st;
	if (lstat(path, &st) == 0)
		return true;
	ending_unless_absent(path, errno);
	return false;
}

bool path_is_regular_file(const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0)
		return S_ISREG(st.st_mode);
	ending_unless_absent(path, errno);
	return false;
}

bool path_is_directory(const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode);
	ending_unless_absent(path, errno);
	return false;
}

bool directory_is_empty(const char *path)
{
	struct stat st;
	DIR *stream = lstat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
	if (!stream)
		return false;
	size_t entries = 0;
	errno = 0;
	while (entries <= 2 && readdir(stream))
		entries++;
	const bool empty = entries <= 2 && errno == 0; /* "." and ".." */
	closedir(stream);
	return empty;
}

const char *path_join(struct arena *arena, const char *directory, const char *name)
{
	size_t length = strlen(directory), more = strlen(name);
	bool has_slash = length && directory[length - 1] == '/';
	char *path = arena_alloc(arena, length + !has_slash + more + 1);
	memcpy(path, directory, length);
	path[length] = '/';
	memcpy(path + length + !has_slash, name, more + 1);
	return path;
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

const char *path_parent(struct arena *arena, const char *path)
{
	const size_t length = path_parent_length(path);
	return length ? arena_strndup(arena, path, length) : ".";
}

bool file_spare(struct diag *diag, const char *option, const char *path,
	bool (*is_ours)(const char *first_line))
{
	enum { LINE_BYTES = 8192 };
	char line[LINE_BYTES];
	if (!path_is_regular_file(path) || file_start(path, line, sizeof line) <= 0)
		return true;
	line[strcspn(line, "\n")] = '\0';
	return is_ours(line) ||
		diag_error(diag, STATUS_FAILED, NULL, "output-exists",
			"%s: %s exists, and mvmbuild did not write it; remove it, or name another "
			"file",
			option, path);
}

const char *path_absolute(struct arena *arena, const char *path)
{
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		length--;
	path = arena_strndup(arena, path, length);
	if (path[0] == '/')
		return path;
	char *here = getcwd(NULL, 0);
	if (!here)
		ending_fatal("cannot find out the current directory: %s", strerror(errno));
	const char *absolute = path_join(arena, here, path);
	free(here);
	return absolute;
}

const char *path_real(struct arena *arena, const char *path)
{
	char *real = realpath(path, NULL);
	if (!real)
		ending_unless_absent(path, errno);
	const char *kept = real ? arena_strdup(arena, real) : NULL;
	free(real);
	return kept;
}

struct dirent *directory_next(DIR *stream, const char *path)
{
	errno = 0;
	struct dirent *entry = readdir(stream);
	if (!entry && errno)
		ending_fatal("cannot read the directory %s: %s", path, strerror(errno));
	return entry;
}

bool directory_make(struct diag *diag, const char *path, mode_t mode)
{
	size_t failed;
	while (!directories_make(path, mode, &failed)) {
		const int error = errno;
		BUF_CLEANUP struct buf part = {0};
		buf_add(&part, path, failed);
		/* Ends the program if the machine cannot tell; then mkdir's error says nothing. */
		if (!path_is_directory(buf_text(&part)))
			return diag_error(diag, STATUS_FAILED, NULL, "unwritable-directory",
				"cannot make the directory %s: %s", buf_text(&part),
				strerror(error));
	}
	return true;
}

bool path_remove(struct diag *diag, const char *path)
{
	BUF_CLEANUP struct buf found = {0};
	if (tree_find_mount(path, &found))
		return diag_error(diag, STATUS_FAILED, NULL, "mounted",
			"cannot remove %s: something is mounted at %s", path, buf_text(&found));
	return tree_remove(path) ||
		diag_error(diag, STATUS_FAILED, NULL, "unremovable", "cannot remove %s: %s", path,
			strerror(errno));
}
