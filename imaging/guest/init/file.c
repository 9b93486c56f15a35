/* SPDX-License-Identifier: MIT */
#include "imaging/guest/init/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/plain_file.h"

char *text_join(const char *first, const char *second)
{
	char *text = malloc(strlen(first) + strlen(second) + 1);
	if (!text)
		abort();
	return strcat(strcpy(text, first), second);
}

char *file_text_at(int at, const char *path)
{
	FD_CLEANUP int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	size_t n = 0, room = 4096;
	char *text = malloc(room);
	ssize_t got = 0;
	while (text && (got = read(fd, text + n, room - n - 2)) > 0) {
		n += (size_t)got;
		if (room - n <= 2)
			text = realloc(text, room *= 2);
	}
	if (!text)
		abort();
	if (got < 0) {
		free(text);
		return NULL;
	}
	text[n] = text[n + 1] = '\0';
	return text;
}

char *file_text(const char *path)
{
	return file_text_at(AT_FDCWD, path);
}

bool file_line(const char *path, char *line, size_t size)
{
	if (file_start(path, line, size) < 0)
		return false;
	size_t n = strcspn(line, "\n");
	while (n > 0 && line[n - 1] == ' ')
		n--;
	line[n] = '\0';
	return true;
}

static bool directory_own(const char *path, unsigned mode, unsigned owner, unsigned group)
{
	/* The order matters: chown clears setuid and setgid. */
	return lchown(path, owner, group) == 0 && chmod(path, mode) == 0;
}

bool directory_put(const char *path, unsigned mode, unsigned owner, unsigned group)
{
	if (access(path, F_OK) == 0)
		return directory_own(path, mode, owner, group);
	char *part = text_join(path, ".mvm-new");
	bool ok = directories_make(part, 0755, NULL) && directory_own(part, mode, owner, group) &&
		rename(part, path) == 0;
	int error = errno;
	if (!ok)
		rmdir(part);
	free(part);
	errno = error;
	return ok;
}

static bool copy_all(int from, int to)
{
	ssize_t n;
	while ((n = sendfile(to, from, NULL, 1 << 20)) > 0)
		;
	return n == 0;
}

bool file_put(int at, const char *from, const char *to, unsigned mode)
{
	FD_CLEANUP int source = openat(at, from, O_RDONLY | O_CLOEXEC);
	if (source < 0 || !parents_make(to, 0755))
		return false;
	char *part = text_join(to, ".mvm-new");
	FD_CLEANUP int target =
		open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok = target >= 0 && copy_all(source, target) && fchmod(target, mode) == 0 &&
		rename(part, to) == 0;
	int error = errno;
	if (target >= 0 && !ok)
		unlink(part);
	free(part);
	errno = error;
	return ok;
}

static void entry_delete(int directory, const char *name, dev_t device)
{
	struct stat st;
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_dev != device)
		return;
	if (!S_ISDIR(st.st_mode)) {
		unlinkat(directory, name, 0);
		return;
	}
	int inner = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (inner >= 0)
		tree_delete(inner);
	unlinkat(directory, name, AT_REMOVEDIR);
}

void tree_delete(int directory)
{
	struct stat st;
	DIR *stream = fdopendir(directory);
	if (!stream || fstat(directory, &st) != 0) {
		close(directory);
		return;
	}
	for (const struct dirent *entry; (entry = readdir(stream));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			entry_delete(directory, entry->d_name, st.st_dev);
	closedir(stream);
}
