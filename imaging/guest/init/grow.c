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

#include "imaging/guest/init/file.h"
#include "imaging/guest/init/message.h"

/*
 * The kernel's interface, fs/xfs/libxfs/xfs_fs.h and include/uapi/linux/btrfs.h; musl has no
 * headers of the kernel.
 */
struct xfs_geometry_v1 {
	uint32_t block_bytes, extent_blocks, group_blocks, groups, log_blocks, sector_bytes,
		inode_bytes, inode_percent;
	uint64_t blocks, rest[9];
};
struct xfs_growth {
	uint64_t blocks;
	uint32_t inode_percent;
};
struct btrfs_volume {
	int64_t fd;
	char name[4088];
};
/* musl wants an int, which holds all 32 bits of a request. */
#define XFS_GEOMETRY_V1 (int)_IOR('X', 100, struct xfs_geometry_v1)
#define XFS_GROW (int)_IOW('X', 110, struct xfs_growth)
#define BTRFS_RESIZE (int)_IOW(0x94, 3, struct btrfs_volume)
#define XFS_MAGIC 0x58465342
#define BTRFS_MAGIC 0x9123683e

/* The size of the disk below a mounted file system, in 512 bytes, which is what /sys counts in. */
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

/* The disk below it, under the name that the kernel gave it; -1 when it cannot be opened. */
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

/*
 * The copies of the superblock, one at the start of each group, are written last. Where the power
 * went before, they say the old size, which xfs_repair would take for the right one.
 * (xfs_growfs_data in the kernel's fs/xfs/xfs_fsops.c; the field is xfs_dsb's sb_dblocks.)
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

/* The same size again writes the copies. */
static bool xfs_grow(int directory, const char *target)
{
	struct xfs_geometry_v1 geometry;
	uint64_t sectors;
	if (ioctl(directory, XFS_GEOMETRY_V1, &geometry) != 0 || !disk_sectors(target, &sectors))
		return false;
	struct xfs_growth growth = {sectors / (geometry.block_bytes / 512), geometry.inode_percent};
	if (growth.blocks < geometry.blocks ||
		(growth.blocks == geometry.blocks && xfs_copies_agree(target, &geometry)))
		return true;
	return ioctl(directory, XFS_GROW, &growth) == 0;
}

/*
 * The kernel makes none larger that stays below 256 MiB (fs/btrfs/ioctl.c, btrfs_ioctl_resize),
 * even when it has its size: the runner has not grown one.
 */
static bool btrfs_grow(int directory, const char *target)
{
	enum { SMALLEST_SECTORS = 256 << 11 };
	struct btrfs_volume volume = {.name = "max"};
	uint64_t sectors;
	if (disk_sectors(target, &sectors) && sectors < SMALLEST_SECTORS)
		return true;
	return ioctl(directory, BTRFS_RESIZE, &volume) == 0;
}

void grow_make(const struct parameters *parameters, const char *target)
{
	struct statfs fs;
	int directory = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = directory >= 0 && fstatfs(directory, &fs) == 0;
	if (ok && fs.f_type == XFS_MAGIC)
		ok = xfs_grow(directory, target);
	else if (ok && fs.f_type == BTRFS_MAGIC)
		ok = btrfs_grow(directory, target);
	if (!ok)
		message("cannot make %s as large as its disk: %s", target, strerror(errno));
	else
		debug(parameters, "%s is as large as its disk", target);
	if (directory >= 0)
		close(directory);
}
