/* SPDX-License-Identifier: MIT */
/*
 * The image of a volume: its size, its locks, and whether it is usable. On the host only the image
 * of a volume grows; the guest enlarges the file system (imaging/guest/init/grow.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/runtime/base/runtime.h"
#include "backends/runtime/volume/growth_log.h"
#include "backends/runtime/volume/lock.h"

#define MIB UINT64_C(1048576)
enum { SIZE_MAX_MIB = 1 << 24, MAGIC_BYTES = 8 };

/*
 * The file systems that mvmbuild creates. The guest enlarges those that can grow, after mounting
 * them.
 */
struct volume_kind {
	const char *name;
	off_t offset; /* of the magic number */
	const char *magic;
	bool grows;
	/*
	 * minimum size after a growth; fs/btrfs/ioctl.c, btrfs_ioctl_resize: "new size should be at
	 * least 256MiB"
	 */
	uint64_t smallest_mib;
};
static const struct volume_kind kinds[] = {
	{"ext2", 0x438, "\x53\xef", true, 0},
	{"ext3", 0x438, "\x53\xef", true, 0},
	{"ext4", 0x438, "\x53\xef", true, 0},
	{"xfs", 0, "XFSB", true, 0},
	{"btrfs", 0x10040, "_BHRfS_M", true, 256},
	{"vfat", 0x1fe, "\x55\xaa", false, 0},
};

struct volume {
	char *path; /* without symbolic links */
	int fd;
	bool locked;     /* by the process that passed us the descriptor */
	uint64_t bytes;  /* of the image */
	uint64_t wanted; /* size of the image in the description, in bytes */
	/* NULL: the contents are not what the description names */
	const struct volume_kind *kind;
};

static const struct volume_kind *kind_find(const char *name, int image)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char found[MAGIC_BYTES];
		size_t length = strlen(kinds[i].magic);
		if (strcmp(kinds[i].name, name) == 0 &&
			pread(image, found, length, kinds[i].offset) == (ssize_t)length &&
			memcmp(found, kinds[i].magic, length) == 0)
			return &kinds[i];
	}
	return NULL;
}

/*
 * Opens for writing if permitted. The descriptor is inherited by programs that we start, so that
 * the lock is held while they work on the image.
 */
static int image_open(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK);
	return fd < 0 && (errno == EACCES || errno == EROFS) ? open(path, O_RDONLY | O_NONBLOCK)
							     : fd;
}

/* Returns a descriptor that the caller passed, which has the lock already. */
static int descriptor_take(const char *number)
{
	uint64_t fd;
	if (number_parse(number, 0, INT32_MAX, &fd))
		return (int)fd;
	errno = EBADF;
	return -1;
}

/*
 * Opens an image. *sized is false if there is nothing to do, because the image does not exist yet
 * or is a device.
 */
static bool volume_open(struct volume *volume, char **arguments, bool *sized, struct reason *why)
{
	uint64_t mib;
	struct stat st;
	*sized = false;
	*volume = (struct volume){.fd = -1};
	if (!number_parse(arguments[1], 1, SIZE_MAX_MIB, &mib))
		return reason_set(why, "'%s' is not a size in MiB", arguments[1]);
	volume->path = realpath(arguments[0], NULL);
	if (!volume->path)
		return errno == ENOENT || reason_set(why, "%s", strerror(errno));
	volume->locked = arguments[3] != NULL;
	volume->fd = volume->locked ? descriptor_take(arguments[3]) : image_open(volume->path);
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

/* Whether the image can get its size; changes nothing. */
static bool volume_judge(const struct volume *volume, const char *type, struct reason *why)
{
	if (volume->bytes > volume->wanted)
		return reason_set(why,
			"it has %" PRIu64 " MiB, its size in the description is %" PRIu64
			": a volume is never made smaller",
			(volume->bytes + MIB - 1) / MIB, volume->wanted / MIB);
	if (!volume->kind || (volume->bytes == volume->wanted && !growth_log_exists(volume->path)))
		return true;
	if (!volume->kind->grows)
		return reason_set(why, "a %s cannot grow from %" PRIu64 " to %" PRIu64 " MiB", type,
			volume->bytes / MIB, volume->wanted / MIB);
	if (volume->wanted < volume->kind->smallest_mib * MIB)
		return reason_set(why,
			"a %s can only grow to %" PRIu64 " MiB or more: set that size", type,
			volume->kind->smallest_mib);
	if (!is_writable(volume))
		return reason_set(why, "it is not writable, so it cannot grow");
	return true;
}

/* Nothing has written to the image before this, and no VM can use it until the program ends. */
static bool volume_lock(const struct volume *volume, struct reason *why)
{
	struct reason refused;
	if (volume->locked || image_lock(volume->fd, USE_WRITE, &refused))
		return true;
	return reason_set(why, "it must grow, but %s", refused.text);
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

/* Whether the contents are not what the description names; reports that the size stays then. */
static bool is_foreign(const struct volume *volume, char **arguments)
{
	if (!volume->kind)
		complain("the volume %s: it contains no %s, so its size is left unchanged",
			arguments[0], arguments[2]);
	return !volume->kind;
}

/* A draft without its log is litter: the growth never began. */
static void draft_clean(const struct volume *volume)
{
	struct reason ignored;
	if (growth_log_draft_exists(volume->path) && is_writable(volume) &&
		volume_lock(volume, &ignored))
		growth_log_draft_remove(volume->path);
}

/* Repeats the checks under the lock, because the earlier results may be outdated. */
static bool volume_grow(struct volume *volume, char **arguments, struct reason *why)
{
	if (!volume_lock(volume, why) || !growth_log_finish(volume->path, volume->fd, why))
		return false;
	volume->kind = kind_find(arguments[2], volume->fd);
	if (!volume_measure(volume, why) || !volume_judge(volume, arguments[2], why))
		return false;
	if (volume->bytes == volume->wanted || is_foreign(volume, arguments))
		return true;
	if (!volume_extend(volume, why))
		return false;
	puts("extended");
	return true;
}

/*
 * A device that the host has mounted, or uses as a part of a larger device, cannot be a guest's.
 * The kernel does not open such a device exclusively.
 */
static bool device_is_free(const char *path, struct reason *why)
{
	struct stat st;
	if (stat(path, &st) != 0 || !S_ISBLK(st.st_mode))
		return true;
	int fd = open(path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == EBUSY)
		return reason_set(why,
			"the host itself uses the device: it is mounted, or a part of another "
			"device");
	if (fd >= 0)
		close(fd);
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
	bool sized,
		ok = volume_open(&volume, arguments, &sized, &why) &&
		(!sized || volume_judge(&volume, arguments[2], &why));
	return finish(&volume, arguments[0], ok, &why);
}

/*
 * A disk of the host is not opened for writing just for a query: when it is closed, udev would
 * probe the disk and lock it meanwhile.
 */
static int open_to_ask(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISBLK(st.st_mode) ? open(path, O_RDONLY | O_NONBLOCK)
							   : image_open(path);
}

/* A volume that does not exist or cannot be opened is reported elsewhere. */
int verb_volume_free(char **arguments)
{
	struct volume volume = {.fd = open_to_ask(arguments[0])};
	struct reason why;
	enum use use;
	if (!use_parse(arguments[1], &use))
		return STATUS_USAGE;
	bool ok = volume.fd < 0 ||
		(image_is_free(volume.fd, use, &why) &&
			(use == USE_READ || device_is_free(arguments[0], &why)));
	return finish(&volume, arguments[0], ok, &why);
}

/*
 * Whether an ext journal must be replayed: s_magic, and RECOVER in s_feature_incompat, of struct
 * ext4_super_block, fs/ext4/ext4.h.
 */
static bool ext_is_unclean(int image)
{
	enum { MAGIC_AT = 1024 + 0x38, FEATURE_INCOMPAT_AT = 1024 + 0x60, RECOVER = 0x4 };
	unsigned char sign[2], feature;
	if (pread(image, sign, sizeof sign, MAGIC_AT) != sizeof sign ||
		pread(image, &feature, sizeof feature, FEATURE_INCOMPAT_AT) != sizeof feature)
		return false;
	return sign[0] == 0x53 && sign[1] == 0xef && (feature & RECOVER);
}

int verb_volume_clean(char **arguments)
{
	struct volume volume = {.fd = open(arguments[0], O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
	struct reason why;
	bool ok = volume.fd < 0 || !ext_is_unclean(volume.fd) ||
		reason_set(&why,
			"the last VM that wrote to it did not end cleanly, and it cannot be "
			"repaired read-only: start that VM once, or run e2fsck -fp %s",
			arguments[0]);
	return finish(&volume, arguments[0], ok, &why);
}

static uint64_t number_at(int image, off_t offset, size_t bytes, bool big_endian)
{
	unsigned char raw[sizeof(uint64_t)];
	uint64_t number = 0;
	if (pread(image, raw, bytes, offset) != (ssize_t)bytes)
		return 0;
	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | raw[big_endian ? i : bytes - 1 - i];
	return number;
}

/*
 * The size of the image's file system according to its superblock, 0 if it is unknown:
 * s_blocks_count_lo and s_log_block_size of struct ext4_super_block, sb_dblocks and sb_blocksize of
 * struct xfs_dsb, dev_item.total_bytes of struct btrfs_super_block, which is of this device alone.
 * An image of 2^32 blocks or more, for which ext4 has another field, is not judged.
 */
static uint64_t file_system_bytes(int image)
{
	enum { EXT_AT = 1024, BTRFS_AT = 0x10000, LOG_MAX = 6 };
	if (kind_find("ext4", image)) {
		const uint64_t log = number_at(image, EXT_AT + 24, 4, false);
		return log <= LOG_MAX ? number_at(image, EXT_AT + 4, 4, false) << (10 + log) : 0;
	}
	if (kind_find("xfs", image))
		return number_at(image, 8, 8, true) * number_at(image, 4, 4, true);
	return kind_find("btrfs", image) ? number_at(image, BTRFS_AT + 0xd1, 8, false) : 0;
}

int verb_volume_whole(char **arguments)
{
	struct volume volume = {.fd = open(arguments[0], O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
	struct reason why;
	struct stat st;
	bool ok = true;
	if (volume.fd >= 0 && fstat(volume.fd, &st) == 0 && S_ISREG(st.st_mode)) {
		const uint64_t needed = file_system_bytes(volume.fd);
		if (st.st_size == 0)
			ok = reason_set(
				&why, "the file is empty; remove it, or put a backup in its place");
		else if (needed > (uint64_t)st.st_size)
			ok = reason_set(&why,
				"the end of the file is missing: its file system has %" PRIu64
				" bytes, the file %" PRIu64 "; put a backup in its place",
				needed, (uint64_t)st.st_size);
	}
	return finish(&volume, arguments[0], ok, &why);
}

/* The descriptor belongs to the caller, which keeps the lock after this program has ended. */
int verb_volume_lock(char **arguments)
{
	struct stat locked, named;
	struct reason why;
	enum use use;
	int fd = descriptor_take(arguments[0]);
	if (!use_parse(arguments[2], &use))
		return STATUS_USAGE;
	bool ok = image_lock(fd, use, &why) &&
		(use == USE_READ || device_is_free(arguments[1], &why));
	if (ok &&
		(fstat(fd, &locked) != 0 || stat(arguments[1], &named) != 0 ||
			locked.st_dev != named.st_dev || locked.st_ino != named.st_ino))
		ok = reason_set(&why, "another file has replaced it meanwhile: start again");
	return finish(&(struct volume){.fd = -1}, arguments[1], ok, &why);
}

int verb_volume_grow(char **arguments)
{
	if (arguments[3] && arguments[4]) {
		complain("volume grow: unexpected argument '%s'", arguments[4]);
		return STATUS_USAGE;
	}
	struct volume volume;
	struct reason why;
	bool sized, ok = volume_open(&volume, arguments, &sized, &why);
	if (ok && sized)
		draft_clean(&volume);
	const bool waits = ok && sized && growth_log_exists(volume.path);
	const bool grows = waits || (ok && sized && volume.bytes < volume.wanted);
	if (ok && sized)
		ok = volume_judge(&volume, arguments[2], &why);
	if (ok && grows && (waits || !is_foreign(&volume, arguments)))
		ok = volume_grow(&volume, arguments, &why);
	return finish(&volume, arguments[0], ok, &why);
}
