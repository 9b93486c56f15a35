/* SPDX-License-Identifier: MIT */
#include "imaging/guest/init/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/plain_file.h"
#include "imaging/guest/init/disk.h"
#include "imaging/guest/init/file.h"
#include "imaging/guest/init/message.h"
#include "imaging/guest/init/probe.h"

#define NEW_ROOT "/mvm/root"

static const struct {
	const char *target, *type;
	unsigned long flags;
} kernel_mounts[] = {
#define ROW(target, type, flags) {target, type, flags},
	STAGE1_KERNEL_MOUNTS(ROW)
#undef ROW
};
enum { KERNEL_MOUNTS = sizeof kernel_mounts / sizeof *kernel_mounts };

/* Shells and other programs expect these names; devtmpfs does not make them. */
static void link_descriptors(void)
{
	static const char *const links[][2] = {{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"}, {"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"}};
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (symlink(links[i][0], links[i][1]) != 0 && errno != EEXIST)
			message("cannot make %s: %s", links[i][1], strerror(errno));
}

void mounts_early(void)
{
	for (int i = 0; i < KERNEL_MOUNTS; i++) {
		mkdir(kernel_mounts[i].target, 0755);
		/*
		 * EBUSY: with CONFIG_DEVTMPFS_MOUNT the kernel has mounted /dev. If one is missing,
		 * the steps that need it report it.
		 */
		if (mount(kernel_mounts[i].type, kernel_mounts[i].target, kernel_mounts[i].type,
			    kernel_mounts[i].flags, NULL) != 0 &&
			errno != EBUSY)
			message("cannot mount %s: %s", kernel_mounts[i].target, strerror(errno));
	}
	link_descriptors();
}

/* ---- options ---- */

static const struct {
	const char *name;
	unsigned long set, clear;
} flag_options[] = {
	{"defaults", 0, 0},
	{"ro", MS_RDONLY, 0},
	{"rw", 0, MS_RDONLY},
	{"nosuid", MS_NOSUID, 0},
	{"nodev", MS_NODEV, 0},
	{"noexec", MS_NOEXEC, 0},
	{"noatime", MS_NOATIME, 0},
	{"nodiratime", MS_NODIRATIME, 0},
	{"relatime", MS_RELATIME, 0},
	{"strictatime", MS_STRICTATIME, 0},
	{"lazytime", MS_LAZYTIME, 0},
	{"sync", MS_SYNCHRONOUS, 0},
	{"dirsync", MS_DIRSYNC, 0},
	{"bind", MS_BIND, 0},
	{"rbind", MS_BIND | MS_REC, 0},
};

static bool match_flag(const char *option, size_t length, unsigned long *flags)
{
	for (size_t i = 0; i < sizeof flag_options / sizeof *flag_options; i++) {
		if (strlen(flag_options[i].name) != length ||
			memcmp(flag_options[i].name, option, length) != 0)
			continue;
		*flags = (*flags | flag_options[i].set) & ~flag_options[i].clear;
		return true;
	}
	return false;
}

/*
 * Separates `options`: mount flags are added to `*flags`; the options of the file system are
 * returned, for the caller to free.
 */
static char *split_options(const char *options, unsigned long *flags)
{
	char *rest = text_join("", options);
	size_t n = 0;
	while (*options) {
		size_t length = strcspn(options, ",");
		if (length && !match_flag(options, length, flags)) {
			if (n)
				rest[n++] = ',';
			memcpy(rest + n, options, length);
			n += length;
		}
		options += length + (options[length] == ',');
	}
	rest[n] = '\0';
	return rest;
}

/* ---- explanations ---- */

static void list_file_systems(const char *type)
{
	char *list = file_text("/proc/filesystems"), line[512] = "";
	for (char *rest = list, *name; rest && (name = strsep(&rest, "\n"));) {
		const char *tab = strchr(name, '\t');
		if (tab && strlen(line) + strlen(tab) + 1 < sizeof line)
			strcat(strcat(line, " "), tab + 1);
	}
	free(list);
	message("  the kernel does not support the file system \"%s\"; is its module among the "
		"loaded ones?",
		type);
	message("  it supports:%s", line);
}

static void list_tags(void)
{
	DIR *devices = opendir("/sys/bus/virtio/drivers/9pnet_virtio");
	unsigned count = 0;
	for (const struct dirent *entry; devices && (entry = readdir(devices));) {
		char path[512], tag[128];
		snprintf(path, sizeof path, "/sys/bus/virtio/drivers/9pnet_virtio/%.255s/mount_tag",
			entry->d_name);
		if (entry->d_name[0] == '.' || !file_line(path, tag, sizeof tag))
			continue;
		count++;
		message("  there is a 9p share \"%s\"", tag);
	}
	if (devices)
		closedir(devices);
	if (count == 0)
		message("  there is no 9p share at all");
}

/*
 * Names the command that checks the file system on the host, and repairs it if nothing is lost by
 * that.
 */
static const char *checker(const char *type)
{
	static const char *const checkers[][2] = {
		{"ext2", "e2fsck -fp"},
		{"ext3", "e2fsck -fp"},
		{"ext4", "e2fsck -fp"},
		{"xfs", "xfs_repair -n"},
		{"btrfs", "btrfs check"},
		{"vfat", "fsck.vfat -a"},
	};
	for (size_t i = 0; i < sizeof checkers / sizeof *checkers; i++)
		if (strcmp(checkers[i][0], type) == 0)
			return checkers[i][1];
	return NULL;
}

/*
 * A power failure may tear a block of the journal. EBADMSG means a wrong checksum, EUCLEAN an
 * invalid structure.
 */
static void suggest_check(const struct stage1_mount *mount, int error)
{
	const char *check = checker(mount->type);
	if (*mount->image && check &&
		(error == EINVAL || error == EIO || error == EBADMSG || error == EUCLEAN))
		message("  on the host, with the VM stopped, check the volume: %s %s; or microvm "
			"--fsck NAME, for a VM of microvm",
			check, mount->image);
}

static void explain(const struct stage1_mount *mount, int error)
{
	if (error == ENODEV)
		list_file_systems(mount->type);
	else if (strcmp(mount->type, "9p") == 0 && error == ENOENT)
		list_tags();
	else if (strcmp(mount->type, "virtiofs") == 0 && error == EINVAL)
		message("  there is no virtiofs share \"%s\", or its options are wrong",
			mount->source);
	else if (error == EROFS && mount->read_only) {
		/* ext4 and xfs log "recovery required on readonly filesystem". */
		message("  the last VM that wrote to it probably did not end cleanly, and a "
			"read-only disk cannot be repaired:");
		message("  start the VM that writes to it once, or run e2fsck -fp on its image on "
			"the host (for xfs: mount it once)");
	} else if (error == EACCES || error == EROFS)
		message("  the disk is probably read-only; then it can only be mounted read-only");
	else if (error == EINVAL)
		message("  it is probably not a %s file system or is damaged, or an option is "
			"wrong",
			mount->type);
	suggest_check(mount, error);
}

static _Noreturn void mount_failed(const struct parameters *parameters,
	const struct stage1_mount *mount, const char *device, int log)
{
	int error = errno;
	message("FAILED: cannot mount %s%s%s (%s) on %s: %s", mount->is_disk ? "disk " : "",
		mount->source, mount->is_disk ? device : "", mount->type, mount->target,
		strerror(error));
	if (*mount->options)
		message("  options: %s", mount->options);
	explain(mount, error);
	kernel_log_print(log);
	stop(parameters);
}

/* ---- mounting ---- */

static void require(
	const struct parameters *parameters, bool done, const char *what, const char *path)
{
	if (done)
		return;
	message("FAILED: cannot %s %s: %s", what, path, strerror(errno));
	stop(parameters);
}

/*
 * Waits for the source, and returns the argument of mount(2). Does not return if the source never
 * appears.
 */
static const char *source_wait(const struct parameters *parameters,
	const struct stage1_mount *mount, char path[DISK_PATH_BYTES])
{
	bool is_device = !mount->is_disk && strncmp(mount->source, "/dev/", 5) == 0;
	if (!mount->is_disk && !is_device)
		return mount->source;
	if (mount->is_disk ? disk_wait(parameters, mount->source, path)
			   : device_wait(parameters, mount->source))
		return mount->is_disk ? path : mount->source;
	message("FAILED: cannot mount %s (%s): no disk %s%s%s after %u s", mount->target,
		mount->type, mount->is_disk ? "with serial \"" : "", mount->source,
		mount->is_disk ? "\"" : "", parameters->wait_ms / 1000);
	disks_print();
	stop(parameters);
}

/*
 * Finds the disk with the file system of this identity, which may be at another path than expected.
 * Does not return if it cannot be determined.
 */
static const char *identified(const struct parameters *parameters, const struct stage1_mount *mount,
	char path[DISK_PATH_BYTES])
{
	if (disk_is(mount->source, mount->identity))
		return mount->source;
	unsigned count = disks_identify(mount->identity, path);
	if (count == 1) {
		message("%s is on %s, not on %s", mount->target, path, mount->source);
		return path;
	}
	*path = '\0';
	if (count == 0 && strncmp(mount->identity, "uuid:", 5) == 0) {
		debug(parameters, "no disk has the %s: %s was made elsewhere", mount->identity,
			mount->source);
		return mount->source;
	}
	message("FAILED: cannot mount %s (%s): %s with the %s", mount->target, mount->type,
		count ? "there are several disks" : "there is no disk", mount->identity);
	disks_print();
	stop(parameters);
}

/*
 * The kernel counts the groups of an ext file system before it replays the journal
 * (ext4_fill_super, fs/ext4/super.c). If the journal enlarges the file system, the counts are wrong
 * until the next mount, and writes fail with EUCLEAN. So a mount of its own replays the journal. If
 * that fails, so does the mount that follows, which reports it.
 */
static void replay_journal(const struct parameters *parameters, const struct stage1_mount *item,
	const char *source, const char *target, unsigned long flags)
{
	int disk = open(source, O_RDONLY | O_CLOEXEC);
	bool waits = disk >= 0 && probe_journal_waits(disk);
	if (disk >= 0)
		close(disk);
	if (waits && mount(source, target, item->type, flags, NULL) == 0 && umount(target) == 0)
		debug(parameters, "replayed the journal of %s", item->target);
}

/* Mounts it on `target`, which may be a temporary place. */
static void mount_one(
	const struct parameters *parameters, const struct stage1_mount *item, const char *target)
{
	char path[DISK_PATH_BYTES] = "", device[DISK_PATH_BYTES + 3] = "";
	const char *source = source_wait(parameters, item, path);
	if (*item->identity)
		source = identified(parameters, item, path);
	if (*path)
		snprintf(device, sizeof device, " (%s)", path);
	unsigned long flags = item->read_only ? MS_RDONLY : 0;
	char *options = split_options(item->options, &flags);
	require(parameters, directories_make(target, 0755, NULL), "make the directory",
		item->target);
	if (strncmp(item->type, "ext", 3) == 0 && !item->read_only)
		replay_journal(parameters, item, source, target, flags);
	int log = kernel_log_mark();
	if (mount(source, target, item->type, flags, options) != 0)
		mount_failed(parameters, item, device, log);
	/* A bind mount accepts flags only in a remount. */
	if ((flags & MS_BIND) && (flags & ~(MS_BIND | MS_REC)) &&
		mount(NULL, target, NULL, flags | MS_REMOUNT, NULL) != 0)
		mount_failed(parameters, item, device, log);
	kernel_log_close(log);
	free(options);
	debug(parameters, "mounted %s%s on %s", item->source, device, item->target);
}

static bool is_root(const struct stage1_mount *mount)
{
	return strcmp(mount->target, "/") == 0;
}

size_t mounts_below_root(const struct init_plan *plan)
{
	for (size_t i = 0; i < plan->nsteps; i++)
		if (plan->steps[i].kind == STAGE1_MOUNT && is_root(&plan->steps[i].mount))
			return i;
	return 0;
}

/* Mounts a tmpfs, unless the plan has another file system for "/". */
static void mount_root(const struct parameters *parameters, const struct init_plan *plan)
{
	struct stage1_mount root = {.source = "tmpfs",
		.target = "/",
		.type = "tmpfs",
		.options = plan->root_options,
		.identity = "",
		.image = ""};
	for (size_t i = 0; i < plan->nsteps; i++)
		if (plan->steps[i].kind == STAGE1_MOUNT && is_root(&plan->steps[i].mount))
			root = plan->steps[i].mount;
	mount_one(parameters, &root, NEW_ROOT);
}

/*
 * The new root becomes "/" before anything is mounted in it. So paths are the same in the plan, in
 * an overlay's options and later in /proc/mounts, and Nix's check of its overlay (check-mount)
 * works.
 */
static bool enter_new_root(void)
{
	if (chdir(NEW_ROOT) != 0)
		return false;
	if (mount(".", "/", NULL, MS_MOVE, NULL) != 0)
		return false;
	return chroot(".") == 0 && chdir("/") == 0;
}

int mounts_enter_root(const struct parameters *parameters, const struct init_plan *plan)
{
	mount_root(parameters, plan);
	for (int i = 0; i < KERNEL_MOUNTS; i++) {
		char *target = text_join(NEW_ROOT, kernel_mounts[i].target);
		require(parameters,
			directories_make(target, 0755, NULL) &&
				mount(kernel_mounts[i].target, target, NULL, MS_MOVE, NULL) == 0,
			"move", kernel_mounts[i].target);
		free(target);
	}
	int initramfs = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	require(parameters, initramfs >= 0 && enter_new_root(), "change to the root at", NEW_ROOT);
	require(parameters,
		directories_make(STAGE1_TMPFS, 0755, NULL) &&
			mount("tmpfs", STAGE1_TMPFS, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") ==
				0,
		"mount", STAGE1_TMPFS);
	return initramfs;
}

void mount_make(const struct parameters *parameters, const struct stage1_mount *mount)
{
	if (!is_root(mount))
		mount_one(parameters, mount, mount->target);
}
