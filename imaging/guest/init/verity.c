/* SPDX-License-Identifier: MIT */
/*
 * Only the plan is trusted: it has the root hash and the number of blocks. The disk's superblock
 * provides nothing, but it is compared, because a disk with a different one is a different disk.
 * The kernel verifies everything else when it is read.
 */
#include "imaging/guest/init/verity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "imaging/guest/init/disk.h"
#include "imaging/guest/init/mapper.h"
#include "imaging/guest/init/message.h"
#include "imaging/guest/init/verity_format.h"

enum { SECTORS = VERITY_BLOCK / 512 };

static _Noreturn void refuse(
	const struct parameters *parameters, const struct stage1_verity *verity, const char *why)
{
	message("FAILED: the disk %s is not the one that was built with this initramfs: %s",
		verity->source, why);
	stop(parameters);
}

static _Noreturn void fail(const struct parameters *parameters, const struct stage1_verity *verity,
	const char *what, int log)
{
	message("FAILED: cannot %s the disk %s: %s", what, verity->source, strerror(errno));
	if (errno == ENODEV)
		message("  the kernel has no device mapper; is the module dm_mod among the loaded "
			"ones?");
	kernel_log_print(log);
	stop(parameters);
}

/* Waits for the disk and returns its path. Does not return if the disk never appears. */
static const char *find(const struct parameters *parameters, const struct stage1_verity *verity,
	char path[DISK_PATH_BYTES])
{
	if (verity->is_disk && disk_wait(parameters, verity->source, path))
		return path;
	if (!verity->is_disk && device_wait(parameters, verity->source))
		return verity->source;
	message("FAILED: cannot make /dev/mapper/%s: no disk %s%s%s after %u s", verity->name,
		verity->is_disk ? "with serial \"" : "", verity->source,
		verity->is_disk ? "\"" : "", parameters->wait_ms / 1000);
	disks_print();
	stop(parameters);
}

/* ---- the disk ---- */

static void check_size(
	const struct parameters *parameters, const struct stage1_verity *verity, int disk)
{
	uint64_t bytes = 0,
		 built = (verity->blocks + verity_tree_blocks(verity->blocks)) * VERITY_BLOCK;
	char why[128];
	if (ioctl(disk, (int)BLKGETSIZE64, &bytes) != 0)
		fail(parameters, verity, "measure", -1);
	/* A hypervisor may round the size of a disk up; nothing is read there. */
	if (bytes >= built)
		return;
	snprintf(why, sizeof why, "it has %llu bytes of %llu", (unsigned long long)bytes,
		(unsigned long long)built);
	refuse(parameters, verity, why);
}

static void check_super(
	const struct parameters *parameters, const struct stage1_verity *verity, int disk)
{
	struct verity_super built, found;
	int log = kernel_log_mark();
	verity_super_fill(verity->blocks, verity->root, &built);
	if (pread(disk, &found, sizeof found, (off_t)(verity->blocks * VERITY_BLOCK)) !=
		sizeof found)
		fail(parameters, verity, "read", log);
	kernel_log_close(log);
	if (memcmp(&built, &found, sizeof found) != 0)
		refuse(parameters, verity, "its dm-verity superblock differs");
}

/* Reading the first block verifies the tree from its root down to that block. */
static void check_root(
	const struct parameters *parameters, const struct stage1_verity *verity, const char *device)
{
	char block[VERITY_BLOCK];
	int log = kernel_log_mark(), mapped = open(device, O_RDONLY | O_CLOEXEC);
	ssize_t n = mapped < 0 ? -1 : pread(mapped, block, sizeof block, 0);
	if (n < 0 && errno == EIO) {
		message("FAILED: the disk %s is not the one that was built with this initramfs: "
			"its first block or its hash tree was changed",
			verity->source);
		kernel_log_print(log);
		stop(parameters);
	}
	if (n != sizeof block)
		fail(parameters, verity, "read", log);
	kernel_log_close(log);
	close(mapped);
}

/* ---- the device ---- */

static char *put_hex(char *to, const void *bytes, size_t count)
{
	const unsigned char *p = bytes;
	for (size_t i = 0; i < count; i++)
		to += sprintf(to, "%02x", p[i]);
	return to;
}

/* The format of cryptsetup's UUIDs, so that `veritysetup status` recognizes the device. */
static void put_uuid(char *to, const struct stage1_verity *verity)
{
	unsigned char uuid[16];
	verity_uuid(verity->root, uuid);
	strcpy(to, "CRYPT-VERITY-");
	to = put_hex(to + strlen(to), uuid, sizeof uuid);
	*to++ = '-';
	strcpy(to, verity->name);
}

/*
 * Documentation/admin-guide/device-mapper/verity.rst. The disk is given by numbers, because the
 * kernel may see other names.
 */
static void put_parameters(
	char *to, const struct stage1_verity *verity, const struct stat *disk, bool panics)
{
	unsigned disk_major = major(disk->st_rdev), disk_minor = minor(disk->st_rdev);
	to += sprintf(to, "1 %u:%u %u:%u %d %d %llu %llu " VERITY_ALGORITHM " ", disk_major,
		disk_minor, disk_major, disk_minor, VERITY_BLOCK, VERITY_BLOCK,
		(unsigned long long)verity->blocks, (unsigned long long)verity->blocks + 1);
	to = put_hex(to, verity->root, VERITY_HASH_BYTES);
	*to++ = ' ';
	to = put_hex(to, VERITY_SALT, VERITY_SALT_BYTES);
	strcpy(to, panics ? " 1 panic_on_corruption" : "");
}

static void make_device(const struct parameters *parameters, const struct stage1_verity *verity,
	int disk, char device[DISK_PATH_BYTES])
{
	struct stat st;
	unsigned number = 0;
	char uuid[sizeof "CRYPT-VERITY-" + 32 + STAGE1_VERITY_NAME_BYTES], target_parameters[512];
	int log = kernel_log_mark();
	if (fstat(disk, &st) != 0)
		fail(parameters, verity, "look at", log);
	put_uuid(uuid, verity);
	put_parameters(target_parameters, verity, &st, parameters->verity_panics);
	const struct mapping mapping = {
		verity->name, uuid, verity->blocks * SECTORS, "verity", target_parameters};
	if (!mapper_create(&mapping, &number))
		fail(parameters, verity, "make a dm-verity device of", log);
	kernel_log_close(log);
	snprintf(device, DISK_PATH_BYTES, "/dev/dm-%u", number);
}

/* Other programs look for the device there. */
static void make_link(
	const struct parameters *parameters, const struct stage1_verity *verity, const char *device)
{
	char link[sizeof "/dev/mapper/" + STAGE1_VERITY_NAME_BYTES];
	snprintf(link, sizeof link, "/dev/mapper/%s", verity->name);
	if (device_wait(parameters, device) && (symlink(device, link) == 0 || errno == EEXIST))
		return;
	message("FAILED: cannot make %s: %s", link, strerror(errno));
	stop(parameters);
}

void verity_open(const struct parameters *parameters, const struct stage1_verity *verity)
{
	char path[DISK_PATH_BYTES], device[DISK_PATH_BYTES];
	const char *source = find(parameters, verity, path);
	int disk = open(source, O_RDONLY | O_CLOEXEC);
	if (disk < 0)
		fail(parameters, verity, "open", -1);
	check_size(parameters, verity, disk);
	check_super(parameters, verity, disk);
	make_device(parameters, verity, disk, device);
	close(disk);
	make_link(parameters, verity, device);
	check_root(parameters, verity, device);
	debug(parameters, "%s (%s) is verified by its hash tree: %s", verity->source, source,
		device);
}
