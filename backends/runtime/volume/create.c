/* SPDX-License-Identifier: MIT */
/*
 * An image is created under a temporary name, which is locked meanwhile, and renamed to its final
 * name when it is complete. A file with such a name that nobody has locked is left from a killed
 * start, on this host or another.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/fs.h>

#include "backends/runtime/base/child.h"
#include "backends/runtime/volume/lock.h"
#include "backends/runtime/volume/unpack.h"
#include "base/plain_file.h"

#define MIB UINT64_C(1048576)
#define NEW ".mvm-new-"
enum { TRIES = 100, SIZE_MAX_MIB = 1 << 24 };

/* The new file. A signal also removes `path`. */
struct fresh {
	char *directory, *path;
	int fd;
};
static char *volatile doomed;

static void stop(int signal)
{
	if (doomed)
		unlink(doomed);
	_exit(128 + signal);
}

/* Signals that are ignored, as under nohup, stay ignored. */
static void signals_handle(void)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT};
	struct sigaction before, ours = {.sa_handler = stop};
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(signals[i], &ours, NULL);
}

/* ---- what others left ---- */

static void leftover_remove(const char *path)
{
	struct reason why;
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (image_lock(fd, USE_WRITE, &why))
		unlink(path);
	close(fd);
}

static void leftovers_remove(const char *directory)
{
	DIR *entries = opendir(directory);
	for (const struct dirent *entry; entries && (entry = readdir(entries));) {
		if (strncmp(entry->d_name, NEW, strlen(NEW)) != 0)
			continue;
		char *path = text("%s%s", directory, entry->d_name);
		leftover_remove(path);
		free(path);
	}
	if (entries)
		closedir(entries);
}

/* ---- making ---- */

static bool is_still_there(const struct fresh *fresh)
{
	struct stat named, open;
	return stat(fresh->path, &named) == 0 && fstat(fresh->fd, &open) == 0 &&
		named.st_ino == open.st_ino && named.st_dev == open.st_dev;
}

/*
 * Prevents copy-on-write if the file system supports that, because a volume is rewritten in place.
 * Only an empty file accepts the flag.
 */
static void set_nocow(int fd)
{
	int flags = 0;
	if (ioctl(fd, (int)FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_NOCOW_FL;
		ioctl(fd, (int)FS_IOC_SETFLAGS, &flags);
	}
}

/*
 * Until the file is locked, another start may remove it as a leftover; then another file is
 * created.
 */
static bool fresh_make(struct fresh *fresh, struct reason *why)
{
	for (int i = 0; i < TRIES; i++) {
		fresh->path = text("%s" NEW "XXXXXX", fresh->directory);
		fresh->fd = mkostemp(fresh->path, O_CLOEXEC);
		if (fresh->fd < 0)
			return reason_set(
				why, "cannot write to %s: %s", fresh->directory, strerror(errno));
		doomed = fresh->path;
		if (image_lock(fresh->fd, USE_WRITE, why) && is_still_there(fresh)) {
			set_nocow(fresh->fd);
			return true;
		}
		doomed = NULL;
		unlink(fresh->path);
		close(fresh->fd);
		free(fresh->path);
		fresh->path = NULL;
	}
	return false;
}

static bool unpack(int archive, void *image, struct reason *why)
{
	return archive_unpack(archive, *(int *)image, why);
}

static bool fill_from_archive(struct fresh *fresh, const char *archive, struct reason *why)
{
	return child_stream(
		(const char *const[]){"gzip", "-dc", archive, NULL}, unpack, &fresh->fd, why);
}

/* The arguments are PROGRAM [ARGUMENT]... FILE. */
static bool fill_by_mkfs(struct fresh *fresh, char **arguments, struct reason *why)
{
	uint64_t mib;
	size_t count = 0;
	if (!arguments[0] || !arguments[1] || !number_parse(arguments[0], 1, SIZE_MAX_MIB, &mib))
		return reason_set(
			why, "'%s' is not a size in MiB", arguments[0] ? arguments[0] : "");
	if (ftruncate(fresh->fd, (off_t)(mib * MIB)) != 0)
		return reason_set(why, "%s", strerror(errno));
	while (arguments[1 + count])
		count++;
	const char **command = calloc(count + 2, sizeof *command);
	if (!command)
		abort();
	memcpy(command, arguments + 1, count * sizeof *command);
	command[count] = fresh->path;
	path_extend();
	bool ok = child_work(command, why);
	free(command);
	return ok;
}

/* ---- its name ---- */

/*
 * Renames under a lock that all callers take, for file systems that support neither hard links nor
 * RENAME_NOREPLACE.
 */
static bool publish_alone(const struct fresh *fresh, const char *image)
{
	struct stat st;
	int directory = open(fresh->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return false;
	bool ok = flock(directory, LOCK_EX) == 0 &&
		(lstat(image, &st) == 0 || (errno == ENOENT && rename(fresh->path, image) == 0));
	int error = errno;
	close(directory);
	errno = error;
	return ok;
}

/*
 * NFS, 9p and vboxsf do not support RENAME_NOREPLACE; FAT, exFAT and SMB do not support hard links
 * (linux/fs: nfs_rename, exfat_rename and similar).
 */
static bool publish(const struct fresh *fresh, const char *image)
{
	enum { NO_REPLACE = 1 };
	if (syscall(SYS_renameat2, AT_FDCWD, fresh->path, AT_FDCWD, image, NO_REPLACE) == 0 ||
		errno == EEXIST)
		return true;
	if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return false;
	if (link(fresh->path, image) == 0 || errno == EEXIST)
		return true;
	if (errno != EPERM && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP &&
		errno != EMLINK)
		return false;
	return publish_alone(fresh, image);
}

/* If another start was faster, its image stays. */
static bool fresh_publish(struct fresh *fresh, const char *image, struct reason *why)
{
	if (fsync(fresh->fd) != 0)
		return reason_set(why, "%s", strerror(errno));
	if (!publish(fresh, image))
		return reason_set(why, "cannot rename it to its final name: %s", strerror(errno));
	return directory_sync(fresh->directory) ||
		reason_set(why, "cannot sync %s: %s", fresh->directory, strerror(errno));
}

static bool create(char **arguments, struct reason *why)
{
	struct fresh fresh = {.directory = directory_of(arguments[0]), .fd = -1};
	leftovers_remove(fresh.directory);
	bool ok = true;
	if (access(arguments[0], F_OK) != 0)
		ok = fresh_make(&fresh, why) &&
			(strcmp(arguments[1], "archive") == 0
					? fill_from_archive(&fresh, arguments[2], why)
					: fill_by_mkfs(&fresh, arguments + 2, why)) &&
			fresh_publish(&fresh, arguments[0], why);
	doomed = NULL;
	/*
	 * The descriptor is closed first, because NFS keeps an open file under another name. The
	 * file has the image's name by now, or is not needed.
	 */
	if (fresh.fd >= 0)
		close(fresh.fd);
	if (fresh.path)
		unlink(fresh.path);
	free(fresh.path);
	free(fresh.directory);
	return ok;
}

int verb_volume_create(char **arguments)
{
	struct reason why;
	if (strcmp(arguments[1], "archive") != 0 && strcmp(arguments[1], "mkfs") != 0) {
		complain("volume create: expected archive or mkfs, not '%s'", arguments[1]);
		return STATUS_USAGE;
	}
	signals_handle();
	if (create(arguments, &why))
		return STATUS_OK;
	complain("the volume %s: %s", arguments[0], why.text);
	return STATUS_FAILED;
}
