/* SPDX-License-Identifier: MIT */
#include "imaging/guest/init/grow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/btrfs.h>
#include <linux/magic.h>

#include "imaging/guest/init/file.h"
#include "imaging/guest/init/message.h"

/* fs/xfs/libxfs/xfs_fs.h, a header of xfsprogs, not of the kernel. */
struct xfs_geometry_v1 {
	uint32_t block_bytes, extent_blocks, group_blocks, groups, log_blocks, sector_bytes,
		inode_bytes, inode_percent;
	uint64_t blocks, rest[9];
};
struct xfs_growth {
	uint64_t blocks;
	uint32_t inode_percent;
};
#define XFS_GEOMETRY_V1 _IOR('X', 100, struct xfs_geometry_v1)
#define XFS_GROW _IOW('X', 110, struct xfs_growth)

/* include/uapi/linux/ext4.h, which Debian 12 lacks. */
#define EXT4_RESIZE _IOW('f', 16, uint64_t)

/* musl declares the request as int, which holds all its 32 bits. */
static int call(int directory, unsigned long request, void *argument)
{
	return ioctl(directory, (int)request, argument);
}

/* Returns the size of the disk below a mounted file system, in units of 512 bytes, as in /sys. */
static bool disk_sectors(const char *target, uint64_t *sectors)
{
	struct stat st;
	char path[64];
	if (stat(target, &st) != 0)
		return false;
	snprintf(
		path, sizeof path, "/sys/dev/block/%u:%u/size", major(st.st_dev), minor(st.st_dev));
	char line[32];
	if (!file_line(path, line, sizeof line))
		return false;
	*sectors = strtoull(line, NULL, 10);
	return true;
}

/* Opens the disk below a mounted file system, by the kernel's name for it; -1 on failure. */
static int disk_open(const char *target)
{
	struct stat st;
	char link[64], place[512], path[128];
	if (stat(target, &st) != 0)
		return -1;
	snprintf(link, sizeof link, "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	ssize_t n = readlink(link, place, sizeof place - 1);
	if (n <= 0)
		return -1;
	place[n] = '\0';
	const char *name = strrchr(place, '/');
	snprintf(path, sizeof path, "/dev/%.100s", name ? name + 1 : place);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Fields of struct ext4_super_block, fs/ext4/ext4.h, and their offsets. */
enum {
	EXT_SUPER_AT = 1024,
	EXT_BLOCKS_LOW_AT = 0x4,
	EXT_FEATURE_INCOMPAT_AT = 0x60,
	EXT_BLOCKS_HIGH_AT = 0x150,
	EXT_64BIT = 0x80,
	EXT_READ_BYTES = 0x154,
};

static uint64_t little_endian(const unsigned char bytes[4])
{
	return bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
		(uint64_t)bytes[3] << 24;
}

struct ext_size {
	uint64_t blocks, largest; /* of the file system, and the maximum for its block numbers */
};

static bool ext_measure(const char *target, struct ext_size *size)
{
	unsigned char super[EXT_READ_BYTES];
	int disk = disk_open(target);
	if (disk < 0)
		return false;
	bool read = pread(disk, super, sizeof super, EXT_SUPER_AT) == sizeof super;
	close(disk);
	if (!read)
		return false;
	bool wide = super[EXT_FEATURE_INCOMPAT_AT] & EXT_64BIT;
	size->blocks = little_endian(super + EXT_BLOCKS_LOW_AT);
	if (wide)
		size->blocks |= little_endian(super + EXT_BLOCKS_HIGH_AT) << 32;
	size->largest = wide ? UINT64_MAX : UINT32_MAX;
	return true;
}

/*
 * The kernel is called only if the file system must grow, because it refuses a file system with
 * errors in any case.
 */
static bool ext_grow(int directory, const char *target, uint32_t block_bytes)
{
	struct ext_size size;
	uint64_t sectors;
	if (!disk_sectors(target, &sectors) || !ext_measure(target, &size))
		return false;
	uint64_t blocks = sectors / (block_bytes / 512);
	if (blocks > size.largest)
		blocks = size.largest;
	return blocks <= size.blocks || call(directory, EXT4_RESIZE, &blocks) == 0;
}

/* Explains why the kernel did not enlarge an ext file system, and what helps. */
static const char *ext_failure(int error)
{
	switch (error) {
	case ENOTTY:
		return "this kernel mounts it with its ext2 driver, which cannot grow it; run "
		       "resize2fs on the host while the VM is stopped";
	case EPERM:
		return "it has errors; stop the VM and repair them with e2fsck -f";
	default:
		return strerror(error);
	}
}

/*
 * The copies of the superblock, one at the start of each group, are written last. After a power
 * failure they may contain the old size, which xfs_repair would believe. (xfs_growfs_data in the
 * kernel's fs/xfs/xfs_fsops.c; the field is xfs_dsb's sb_dblocks.)
 */
static bool xfs_copies_agree(const char *target, const struct xfs_geometry_v1 *geometry)
{
	enum { BLOCKS_AT = 8 };
	bool agree = true;
	int disk = disk_open(target);
	for (uint32_t group = 1; disk >= 0 && agree && group < geometry->groups; group++) {
		unsigned char blocks[8];
		off_t at =
			(off_t)((uint64_t)group * geometry->group_blocks * geometry->block_bytes) +
			BLOCKS_AT;
		uint64_t value = 0;
		bool read = pread(disk, blocks, sizeof blocks, at) == sizeof blocks;
		for (size_t i = 0; i < sizeof blocks; i++)
			value = value << 8 | blocks[i];
		agree = !read || value == geometry->blocks;
	}
	if (disk >= 0)
		close(disk);
	return agree;
}

/* A growth to the current size writes the copies again. */
static bool xfs_grow(int directory, const char *target)
{
	struct xfs_geometry_v1 geometry;
	uint64_t sectors;
	if (call(directory, XFS_GEOMETRY_V1, &geometry) != 0 || !disk_sectors(target, &sectors))
		return false;
	struct xfs_growth growth = {sectors / (geometry.block_bytes / 512), geometry.inode_percent};
	if (growth.blocks < geometry.blocks ||
		(growth.blocks == geometry.blocks && xfs_copies_agree(target, &geometry)))
		return true;
	return call(directory, XFS_GROW, &growth) == 0;
}

/*
 * The kernel refuses to resize a file system that stays below 256 MiB (fs/btrfs/ioctl.c,
 * btrfs_ioctl_resize), even to its current size. The runner does not enlarge such images.
 */
static bool btrfs_grow(int directory, const char *target)
{
	enum { SMALLEST_SECTORS = 256 << 11 };
	struct btrfs_ioctl_vol_args volume = {.name = "max"};
	uint64_t sectors;
	if (disk_sectors(target, &sectors) && sectors < SMALLEST_SECTORS)
		return true;
	return call(directory, BTRFS_IOC_RESIZE, &volume) == 0;
}

/* Sets errno on failure. */
static bool file_system_grow(int directory, const struct statfs *fs, const char *target)
{
	switch ((unsigned long)fs->f_type) {
	case EXT4_SUPER_MAGIC:
		return ext_grow(directory, target, (uint32_t)fs->f_bsize);
	case XFS_SUPER_MAGIC:
		return xfs_grow(directory, target);
	case BTRFS_SUPER_MAGIC:
		return btrfs_grow(directory, target);
	default:
		return true;
	}
}

void grow_make(const struct parameters *parameters, const char *target)
{
	struct statfs fs = {0};
	int directory = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory >= 0 && fstatfs(directory, &fs) == 0 &&
		file_system_grow(directory, &fs, target))
		debug(parameters, "%s is as large as its disk", target);
	else
		message("cannot make %s as large as its disk: %s", target,
			fs.f_type == EXT4_SUPER_MAGIC ? ext_failure(errno) : strerror(errno));
	if (directory >= 0)
		close(directory);
}
