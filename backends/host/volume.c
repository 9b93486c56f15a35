/* SPDX-License-Identifier: MIT */
#include "volume.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB UINT64_C(1048576)
enum { SIZE_MAX_MIB = 1 << 24, MAGIC_BYTES = 8 };

/* The file systems that mvmbuild makes, and how they become larger. */
struct volume_kind {
	const char *name;
	off_t offset; /* of what it is known by */
	const char *magic;
	enum {
		GROWS_NOT,
		GROWS_HERE,    /* by its tools, before the VM starts */
		GROWS_MOUNTED, /* in the guest, once the image is larger */
	} grows;
};
static const struct volume_kind kinds[] = {
	{"ext2", 0x438, "\x53\xef", GROWS_HERE},
	{"ext3", 0x438, "\x53\xef", GROWS_HERE},
	{"ext4", 0x438, "\x53\xef", GROWS_HERE},
	{"xfs", 0, "XFSB", GROWS_MOUNTED},
	{"btrfs", 0x10040, "_BHRfS_M", GROWS_MOUNTED},
	{"vfat", 0x1fe, "\x55\xaa", GROWS_NOT},
};

static const struct volume_kind *kind_find(const char *name, int image)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char found[MAGIC_BYTES];
		size_t length = strlen(kinds[i].magic);
		if (strcmp(kinds[i].name, name) == 0 && pread(image, found, length, kinds[i].offset) == (ssize_t)length &&
		    memcmp(found, kinds[i].magic, length) == 0)
			return &kinds[i];
	}
	return NULL;
}

/* Opens an image; `size` false when there is nothing to do: it is not there yet, or it is a device. */
static bool volume_open(struct volume *volume, char **arguments, bool *sized, struct reason *why)
{
	uint64_t mib;
	struct stat st;
	*sized = false;
	*volume = (struct volume){.fd = -1};
	if (!number_parse(arguments[1], 1, SIZE_MAX_MIB, &mib))
		return reason_set(why, "'%s' is no size in MiB", arguments[1]);
	volume->path = realpath(arguments[0], NULL);
	if (!volume->path)
		return errno == ENOENT || reason_set(why, "%s", strerror(errno));
	/* It is not closed when another program is started: while one of ours works on it, the lock is held. */
	volume->fd = open(volume->path, O_RDWR | O_NONBLOCK);
	if (volume->fd < 0 && (errno == EACCES || errno == EROFS))
		volume->fd = open(volume->path, O_RDONLY | O_NONBLOCK);
	if (volume->fd < 0 || fstat(volume->fd, &st) != 0)
		return reason_set(why, "%s", strerror(errno));
	*sized = S_ISREG(st.st_mode);
	volume->bytes = (uint64_t)st.st_size;
	volume->wanted = mib * MIB;
	volume->kind = kind_find(arguments[2], volume->fd);
	return true;
}

static bool is_writable(const struct volume *volume)
{
	return (fcntl(volume->fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

static bool is_interrupted(const struct volume *volume)
{
	char *log = text("%s.grow", volume->path);
	bool there = access(log, F_OK) == 0;
	free(log);
	return there;
}

/* Whether the image can have its size; touches nothing. */
static bool volume_judge(const struct volume *volume, const char *type, struct reason *why)
{
	if (volume->bytes > volume->wanted)
		return reason_set(why, "it has %" PRIu64 " MiB, its size in the description is %" PRIu64 ": a volume is never made smaller",
				  (volume->bytes + MIB - 1) / MIB, volume->wanted / MIB);
	if (!volume->kind || (volume->bytes == volume->wanted && !is_interrupted(volume)))
		return true;
	if (volume->kind->grows == GROWS_NOT)
		return reason_set(why, "a %s cannot grow from %" PRIu64 " to %" PRIu64 " MiB", type, volume->bytes / MIB, volume->wanted / MIB);
	if (!is_writable(volume))
		return reason_set(why, "it cannot be written, so it cannot grow");
	return volume->kind->grows != GROWS_HERE || ext_can_grow(why);
}

/* QEMU and Cloud Hypervisor lock their disks by records, crosvm as we do. */
static bool volume_lock(const struct volume *volume, struct reason *why)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (flock(volume->fd, LOCK_EX | LOCK_NB) != 0)
		return reason_set(why, "it is to grow, but it is in use: %s", strerror(errno));
	if (fcntl(volume->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		return reason_set(why, "it is to grow, but a running VM uses it");
	return true;
}

static bool volume_extend(const struct volume *volume, struct reason *why)
{
	if (ftruncate(volume->fd, (off_t)volume->wanted) == 0 && fsync(volume->fd) == 0)
		return true;
	return reason_set(why, "%s", strerror(errno));
}

static bool volume_measure(struct volume *volume, struct reason *why)
{
	struct stat st;
	if (fstat(volume->fd, &st) != 0)
		return reason_set(why, "%s", strerror(errno));
	volume->bytes = (uint64_t)st.st_size;
	return true;
}

/* Under the lock: what was seen before it may be over. */
static bool volume_grow(struct volume *volume, const char *type, struct reason *why)
{
	if (!volume_lock(volume, why) || !ext_finish(volume, why) || !volume_measure(volume, why) || !volume_judge(volume, type, why))
		return false;
	if (volume->bytes == volume->wanted)
		return true;
	if (!(volume->kind->grows == GROWS_HERE ? ext_grow(volume, why) : volume_extend(volume, why)))
		return false;
	puts(volume->kind->grows == GROWS_HERE ? "grown" : "extended");
	return true;
}

static int finish(struct volume *volume, const char *image, bool ok, const struct reason *why)
{
	if (!ok)
		complain("the volume %s: %s", image, why->text);
	if (volume->fd >= 0)
		close(volume->fd);
	free(volume->path);
	return ok ? STATUS_OK : STATUS_FAILED;
}

int verb_volume_check(char **arguments)
{
	struct volume volume;
	struct reason why;
	bool sized, ok = volume_open(&volume, arguments, &sized, &why) && (!sized || volume_judge(&volume, arguments[2], &why));
	return finish(&volume, arguments[0], ok, &why);
}

int verb_volume_grow(char **arguments)
{
	struct volume volume;
	struct reason why;
	bool sized, ok = volume_open(&volume, arguments, &sized, &why);
	if (ok && sized && !volume.kind && volume.bytes < volume.wanted && !is_interrupted(&volume))
		complain("the volume %s: it holds no %s, so it stays as large as it is", arguments[0], arguments[2]);
	else if (ok && sized)
		ok = volume_judge(&volume, arguments[2], &why) &&
		     ((volume.bytes == volume.wanted && !is_interrupted(&volume)) || volume_grow(&volume, arguments[2], &why));
	return finish(&volume, arguments[0], ok, &why);
}
