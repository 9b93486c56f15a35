/* SPDX-License-Identifier: MIT */
/*
 * fsck: checks the volumes of a stopped VM with the tools of their file systems, and repairs what
 * can be repaired without a loss. A tool runs with the rights of the image's owner, because no
 * program of root may read what somebody else wrote.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/printable.h"
#include "base/process.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/machine.h"
#include "compiler/microvm/units.h"
#include "compiler/plan/plan.h"
#include "compiler/runner/manifest.h"
#include "compiler/storage/file_systems.h"

enum { NOT_STARTED = 127 };

/* ---- the image ---- */

struct image {
	const struct machine *machine;
	const char *name; /* as in the description */
	const char *type;
	int fd; /* open and locked */
	struct stat st;
};

static bool refuse(const struct host *host, const struct image *image, const char *why)
{
	return diag_error(host->diag, STATUS_FAILED, NULL, "fsck", "cannot check the volume %s: %s",
		image->name, why);
}

/* Follows only links of root: the owner of a link decides where it leads. */
static int open_entry(const struct host *host, const struct image *image, int directory)
{
	struct stat st;
	const bool is_nested = strchr(image->name, '/') && image->name[0] != '/';
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC, .resolve = is_nested ? RESOLVE_NO_SYMLINKS : 0};
	if (fstatat(directory, image->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
		geteuid() == 0 && st.st_uid != 0) {
		refuse(host, image, "it is a symbolic link that does not belong to root");
		return -1;
	}
	const int flags = O_PATH | O_CLOEXEC | (S_ISLNK(st.st_mode) ? 0 : O_NOFOLLOW);
	int entry = geteuid() == 0 && is_nested
		? (int)syscall(SYS_openat2, directory, image->name, &how, sizeof how)
		: openat(directory, image->name, flags);
	if (entry < 0)
		refuse(host, image, strerror(errno));
	return entry;
}

/*
 * The descriptor is inherited by the tool, which opens the file through it, so that it checks the
 * file that is locked.
 */
static bool image_open(const struct host *host, struct image *image, int directory)
{
	FD_CLEANUP int entry = open_entry(host, image, directory);
	if (entry < 0)
		return false;
	if (fstat(entry, &image->st) != 0 ||
		!(S_ISREG(image->st.st_mode) || S_ISBLK(image->st.st_mode)))
		return refuse(host, image, "it is neither a file nor a block device");
	const char *handle = arena_printf(host->arena, "/proc/self/fd/%d", entry);
	/*
	 * O_EXCL fails for a device that this host has mounted. The tools use O_EXCL too, so close
	 * it again.
	 */
	if (S_ISBLK(image->st.st_mode)) {
		FD_CLEANUP int alone = open(handle, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
		if (alone < 0)
			return refuse(host, image, strerror(errno));
	}
	image->fd = open(handle, O_RDWR | O_NONBLOCK);
	return image->fd >= 0 || refuse(host, image, strerror(errno));
}

/* Hypervisors use record locks or flock; with both kinds, nobody else uses the image. */
static bool image_lock(const struct host *host, const struct image *image)
{
	/*
	 * The same range as mvm-host's: without an end, the lock would be mandatory on some NFSv4
	 * servers (backends/runtime/volume/lock.c).
	 */
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = (off_t)1 << 62};
	const bool locked = flock(image->fd, LOCK_EX | LOCK_NB) == 0 &&
		fcntl(image->fd, F_OFD_SETLK, &all) == 0;
	/* Some file systems do not support locks. */
	return locked || errno == ENOLCK || errno == EOPNOTSUPP ||
		refuse(host, image,
			errno == EWOULDBLOCK || errno == EACCES ? "it is in use" : strerror(errno));
}

/* ---- checking ---- */

/* The tools' output may have text of the guest in it: labels and file names. */
static void print_lines(const struct buf *text)
{
	for (const char *line = buf_text(text); *line;) {
		BUF_CLEANUP struct buf shown = {0};
		const size_t length = strcspn(line, "\n");
		buf_printable(&shown, line, length);
		puts(buf_text(&shown));
		line += length + (line[length] == '\n');
	}
}

/* Prints the tool's output with the image's name instead of the path in /proc. */
static void show(const struct image *image, const char *handle, const struct process_result *result)
{
	const struct bytes texts[] = {result->output, result->error};
	const size_t length = strlen(handle);
	BUF_CLEANUP struct buf text = {0};
	for (size_t i = 0; i < countof(texts); i++) {
		for (const char *rest = texts[i].p, *found; rest && *rest; rest = found + length) {
			found = strstr(rest, handle);
			if (!found) {
				buf_puts(&text, rest);
				break;
			}
			buf_add(&text, rest, (size_t)(found - rest));
			buf_puts(&text, image->name);
		}
	}
	print_lines(&text);
}

static bool run_tool(const struct host *host, const struct image *image, const char *const *tool,
	const char *handle, struct process_result *result)
{
	struct strings argv = {0};
	if (geteuid() == 0 && image->st.st_uid != 0) {
		vec_push(host->arena, &argv, "setpriv");
		vec_push(host->arena, &argv,
			arena_printf(host->arena, "--reuid=%u", (unsigned)image->st.st_uid));
		vec_push(host->arena, &argv,
			arena_printf(host->arena, "--regid=%u", (unsigned)image->st.st_gid));
		strings_add(host->arena, &argv,
			(const char *const[]){"--clear-groups", "--pdeathsig", "TERM", "--"}, 4);
	}
	/* xfs_repair needs -f for a regular file. */
	for (; *tool; tool++)
		if (strcmp(*tool, "-f") != 0 || S_ISREG(image->st.st_mode))
			vec_push(host->arena, &argv, *tool);
	vec_push(host->arena, &argv, handle);
	vec_push(host->arena, &argv, NULL);
	return process_run(host->arena, host->diag, argv.v, result);
}

static bool report(const struct host *host, const struct image *image, const char *what)
{
	host_say(
		host, "%s (%s): %s\n", printable_text(host->arena, image->name), image->type, what);
	return true;
}

static bool look(
	const struct host *host, const struct image *image, const struct file_system *system)
{
	const struct fsck *check = &system->fsck;
	struct process_result result;
	const char *handle = arena_printf(host->arena, "/proc/self/fd/%d", image->fd);
	size_t at = 0;
	if (!run_tool(host, image, check->tries[at], handle, &result))
		return false;
	if (result.exit_status == 0)
		return report(host, image, "sound");
	if (result.exit_status == NOT_STARTED)
		return refuse(host, image,
			arena_printf(host->arena, "%s is missing; install %s", check->tries[at][0],
				system->package));
	while (result.exit_status == check->next && ++at < FSCK_TRIES && check->tries[at][0])
		if (!run_tool(host, image, check->tries[at], handle, &result))
			return false;
	show(image, handle, &result);
	/* fsck.fat returns the same status when it gives up, so check again. */
	if ((result.exit_status & ~check->mended) == 0) {
		if (!run_tool(host, image, check->tries[0], handle, &result))
			return false;
		if (result.exit_status == 0)
			return report(host, image, "mended");
	}
	return diag_error(host->diag, STATUS_FAILED, NULL, "fsck", "the volume %s is damaged; %s",
		image->name, check->advice);
}

/*
 * The log lies beside the image itself, whatever link leads there
 * (backends/runtime/volume/growth_log.c).
 */
static bool no_growth_waits(const struct host *host, const struct image *image)
{
	const char *path =
		link_read(host->arena, arena_printf(host->arena, "/proc/self/fd/%d", image->fd));
	if (!path)
		return refuse(host, image, strerror(errno));
	return access(arena_printf(host->arena, "%s.grow", path), F_OK) != 0 ||
		refuse(host, image,
			"its growth was interrupted; start the VM first, which completes it");
}

static bool image_check(const struct host *host, struct image *image, int directory)
{
	const struct file_system *system = file_system_find(image->type);
	struct stat st;
	if (!system || !system->fsck.tries[0][0])
		return report(host, image, "no check is known for it");
	if (fstatat(directory, image->name, &st, 0) != 0 && errno == ENOENT)
		return report(host, image, "not there yet");
	if (!image_open(host, image, directory))
		return false;
	if (!image_lock(host, image))
		return false;
	if (!no_growth_waits(host, image))
		return false;
	return look(host, image, system);
}

/* ---- the volumes ---- */

static const char *member_text(struct json_object *object, const char *key)
{
	struct json_object *value;
	return json_object_object_get_ex(object, key, &value) &&
			json_object_is_type(value, json_type_string)
		? json_object_get_string(value)
		: NULL;
}

static bool check_volume(const struct host *host, const struct machine *machine, int directory,
	struct json_object *volume)
{
	const char *format = member_text(volume, "imageType");
	struct image image = {.machine = machine,
		.name = member_text(volume, "image"),
		.type = member_text(volume, "fsType"),
		.fd = -1};
	if (!image.name || !image.type)
		return diag_error(host->diag, STATUS_INPUT, NULL, "bad-manifest",
			"a volume in the description of %s has no image or no file system",
			machine->name);
	bool ok = format && strcmp(format, "raw") != 0
		? report(host, &image,
			  arena_printf(host->arena, "no check is known for %s images", format))
		: image_check(host, &image, directory);
	fd_close(&image.fd);
	return ok;
}

static bool check_volumes(
	const struct host *host, const struct machine *machine, struct json_object *description)
{
	struct json_object *volumes;
	FD_CLEANUP int directory =
		open(machine->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return diag_error(host->diag, STATUS_FAILED, NULL, "state", "cannot open %s: %s",
			machine->directory, strerror(errno));
	bool ok = true,
	     any = json_object_object_get_ex(description, "volumes", &volumes) &&
		json_object_is_type(volumes, json_type_array);
	for (size_t i = 0; any && i < json_object_array_length(volumes); i++)
		ok &= check_volume(host, machine, directory, json_object_array_get_idx(volumes, i));
	if (!any || json_object_array_length(volumes) == 0)
		host_say(host, "%s has no volumes\n", machine->name);
	return ok;
}

static bool path_extend(const struct host *host)
{
	const char *path = getenv("PATH");
	return setenv("PATH",
		       arena_printf(host->arena, "%s%s/usr/sbin:/sbin", path ? path : "",
			       path && *path ? ":" : ""),
		       1) == 0;
}

bool verb_fsck(struct host *host, const struct request *request)
{
	MACHINE_CLEANUP struct machine machine;
	if (!path_extend(host) || !machine_open(host, request->name, &machine))
		return false;
	if (unit_runs(host, machine.name))
		return diag_error(host->diag, STATUS_FAILED, NULL, "running",
			"%s is running: systemctl stop %s first", machine.name,
			unit_name(host->arena, machine.name));
	struct json_object *description =
		description_read(host->arena, host->diag, machine_path(host, &machine, "current"));
	bool ok = description && check_volumes(host, &machine, description);
	json_object_put(description);
	return ok;
}
