/* SPDX-License-Identifier: MIT */
#include "grow.h"

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

#include "file.h"
#include "message.h"

/* The kernel's interface, fs/xfs/libxfs/xfs_fs.h and include/uapi/linux/btrfs.h; musl has no headers of the kernel. */
struct xfs_geometry_v1 {
	uint32_t block_bytes, extent_blocks, group_blocks, groups, log_blocks, sector_bytes, inode_bytes, inode_percent;
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
	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/size", major(st.st_dev), minor(st.st_dev));
	char line[32];
	if (!file_line(path, line, sizeof line))
		return false;
	*sectors = strtoull(line, NULL, 10);
	return true;
}

static bool xfs_grow(int directory, const char *target)
{
	struct xfs_geometry_v1 geometry;
	uint64_t sectors;
	if (ioctl(directory, XFS_GEOMETRY_V1, &geometry) != 0 || !disk_sectors(target, &sectors))
		return false;
	struct xfs_growth growth = {sectors / (geometry.block_bytes / 512), geometry.inode_percent};
	return growth.blocks <= geometry.blocks || ioctl(directory, XFS_GROW, &growth) == 0;
}

static bool btrfs_grow(int directory)
{
	struct btrfs_volume volume = {.name = "max"};
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
		ok = btrfs_grow(directory);
	if (!ok)
		message("cannot make %s as large as its disk: %s", target, strerror(errno));
	else
		debug(parameters, "%s is as large as its disk", target);
	if (directory >= 0)
		close(directory);
}
