/* SPDX-License-Identifier: MIT */
#include "compiler/storage/file_systems.h"

#include <string.h>

/* If the superblock is torn, use its first backup: its place for blocks of 4096 and 1024 bytes. */
#define E2FSCK \
	{ \
		.tries = {{"e2fsck", "-fp"}, {"e2fsck", "-fp", "-b", "32768", "-B", "4096"}, \
			{"e2fsck", "-fp", "-b", "8193", "-B", "1024"}}, \
		.next = 8, .mended = 3, \
		.advice = "make a copy of the image, then run e2fsck -f on it", \
	}

#define EXT(number) \
	.name = "ext" #number, .mkfs = "mkfs.ext" #number, .package = "e2fsprogs", .quiet = "-q", \
	.label_option = "-L", .uuid_option = "-U", .uuid_prefix = "", .in_process = true, \
	.ext = EXT##number, .minimum_mib = EXT_MINIMUM_MIB, .label_bytes = EXT_LABEL_BYTES, \
	.grows_mounted = true, .fsck = E2FSCK

/*
 * Nix registers a path without waiting until its files are on disk, and the database reaches the
 * disk independently of them: after a power cut, a registered path may have empty files
 * (sync-before-registering in nix.conf prevents it). data=journal preserves the order.
 */
#define DATA_IN_JOURNAL "data=journal"

/*
 * The minimum sizes are those of Debian 12's programs: xfsprogs 6.1, btrfs-progs 6.2 (with
 * duplicated metadata), dosfstools 4.2.
 */
const struct file_system file_systems[] = {
	{EXT(2)},
	{EXT(3), .overlay_options = DATA_IN_JOURNAL},
	{EXT(4), .overlay_options = DATA_IN_JOURNAL, .kernel_option = "EXT4_FS"},
	{
		.name = "xfs",
		.mkfs = "mkfs.xfs",
		.package = "xfsprogs",
		.quiet = "-q",
		.label_option = "-L",
		.uuid_option = "-m",
		.uuid_prefix = "uuid=",
		.minimum_mib = 300,
		.label_bytes = 12,
		.grows_mounted = true,
		.kernel_option = "XFS_FS",
		/*
		 * Check only: after an interrupted growth, a repair would restore the old size,
		 * which most copies of the superblock have, and lose everything beyond it. A
		 * journal that is not replayed yet looks like damage.
		 */
		.fsck = {.tries = {{"xfs_repair", "-n", "-f"}},
			.advice = "a start replays its journal, which may be enough; if the start "
				  "fails, make a copy of the image, then run xfs_repair on it"},
	},
	{
		.name = "btrfs",
		.mkfs = "mkfs.btrfs",
		.package = "btrfs-progs",
		.quiet = "-q",
		.label_option = "-L",
		.uuid_option = "-U",
		.uuid_prefix = "",
		.minimum_mib = 109,
		.label_bytes = 255,
		.grows_mounted = true,
		.grows_minimum_mib = 256, /* fs/btrfs/ioctl.c */
		.kernel_option = "BTRFS_FS",
		.fsck = {.tries = {{"btrfs", "check", "--readonly"}},
			.advice = "make a copy of the image first; btrfs-check(8) describes the "
				  "repairs"},
	},
	{
		.name = "vfat",
		.mkfs = "mkfs.vfat",
		.package = "dosfstools",
		.label_option = "-n",
		.uuid_option = "-i",
		.uuid_prefix = "",
		.short_uuid = true,
		.minimum_mib = 1,
		.label_bytes = 11,
		.label_cannot = "abcdefghijklmnopqrstuvwxyz*?.,;:\\|+=<>[]\"",
		.label_can = "capital letters, digits, '-' and '_'",
		.no_overlay = true,
		.kernel_option = "VFAT_FS",
		/*
		 * The character set depends on the kernel: CONFIG_FAT_DEFAULT_IOCHARSET is ascii in
		 * Debian's, iso8859-1 in others.
		 */
		.modules = {"nls_cp437", "nls_ascii", "nls_iso8859-1", "nls_utf8"},
		.fsck = {.tries = {{"fsck.vfat", "-a"}},
			.mended = 1,
			.advice = "make a copy of the image, then run fsck.vfat -r on it"},
	},
	{.name = "msdos", .no_overlay = true, .modules = {"nls_cp437"}},
	{.name = "exfat", .no_overlay = true},
	{.name = "ntfs", .no_overlay = true},
	{.name = "ntfs3", .no_overlay = true},
	{.name = "iso9660", .no_overlay = true},
	{.name = "squashfs", .no_overlay = true, .kernel_option = "SQUASHFS"},
	{.name = "erofs", .no_overlay = true, .kernel_option = "EROFS_FS"},
	{0},
};

const struct file_system *file_system_find(const char *name)
{
	for (const struct file_system *system = file_systems; system->name; system++)
		if (strcmp(system->name, name) == 0)
			return system;
	return NULL;
}

const struct file_system *file_system_created(const char *name)
{
	const struct file_system *system = file_system_find(name);
	return system && system->mkfs ? system : NULL;
}
