/* SPDX-License-Identifier: MIT */
/*
 * fsck: the volumes of a VM that does not run are checked, each by the tool of its file system, and
 * mended where that loses nothing. What the VMs' user put in a VM's directory is touched with that
 * user's rights alone: a tool of root's reads nothing that somebody else wrote.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/printable.h"
#include "base/process.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/machine.h"
#include "compiler/microvm/units.h"
#include "compiler/plan/plan.h"
#include "compiler/storage/file_systems.h"

enum {
	DESCRIPTION_BYTES = 64 << 20,
	JSON_DEPTH = 128 /* a description may have 64 levels */,
	NOT_STARTED = 127
};

/* ---- the image ---- */

struct image {
	const struct machine *machine;
	const char *name; /* as the description has it */
	const char *type;
	int fd; /* held, and locked */
	struct stat st;
};

static bool refuse(const struct host *host, const struct image *image, const char *why)
{
	return diag_error(
		host->diag, STATUS_FAILED, NULL, "fsck", "the volume %s: %s", image->name, why);
}

/* A link counts when it is ours: another one leads wherever its owner likes. */
static int open_entry(const struct host *host, const struct image *image, int directory)
{
	struct stat st;
	const bool is_nested = strchr(image->name, '/') && image->name[0] != '/';
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC, .resolve = is_nested ? RESOLVE_NO_SYMLINKS : 0};
	if (fstatat(directory, image->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) &&
		geteuid() == 0 && st.st_uid != 0) {
		refuse(host, image, "it is a link that is not root's");
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
 * Not closed when the tool is started, which gets at the file by it: no other one is checked than
 * the one that is held.
 */
static bool image_open(const struct host *host, struct image *image, int directory)
{
	FD_CLEANUP int entry = open_entry(host, image, directory);
	if (entry < 0)
		return false;
	if (fstat(entry, &image->st) != 0 ||
		!(S_ISREG(image->st.st_mode) || S_ISBLK(image->st.st_mode)))
		return refuse(host, image, "it is neither a file nor a disk");
	const char *handle = arena_printf(host->arena, "/proc/self/fd/%d", entry);
	/*
	 * A disk that this host has mounted cannot be opened so. The tools open it so themselves,
	 * so it is not kept.
	 */
	if (S_ISBLK(image->st.st_mode)) {
		FD_CLEANUP int alone = open(handle, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
		if (alone < 0)
			return refuse(host, image, strerror(errno));
	}
	image->fd = open(handle, O_RDWR | O_NONBLOCK);
	return image->fd >= 0 || refuse(host, image, strerror(errno));
}

/*
 * Hypervisors lock their disks by records or by flock: with both of them nobody has it, and nobody
 * gets it.
 */
static bool image_lock(const struct host *host, const struct image *image)
{
	/*
	 * As mvm-host has it: without an end it would be a mandatory one on some servers of NFSv4
	 * (backends/runtime/volume/lock.c).
	 */
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = (off_t)1 << 62};
	const bool locked = flock(image->fd, LOCK_EX | LOCK_NB) == 0 &&
		fcntl(image->fd, F_OFD_SETLK, &all) == 0;
	/* A file system may know no locks. */
	return locked || errno == ENOLCK || errno == EOPNOTSUPP ||
		refuse(host, image,
			errno == EWOULDBLOCK || errno == EACCES ? "it is in use" : strerror(errno));
}

/* ---- checking ---- */

/* What a tool says of an image has the guest's words in it: labels, names of files. */
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

/* Its messages name the image, not how the tool got at it. */
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
	/* xfs_repair has to be told what is a file. */
	for (; *tool; tool++)
		if (strcmp(*tool, "-f") != 0 || S_ISREG(image->st.st_mode))
			vec_push(host->arena, &argv, *tool);
	vec_push(host->arena, &argv, handle);
	vec_push(host->arena, &argv, NULL);
	return process_run(host->arena, host->diag, argv.v, result);
}

static bool tell(const struct host *host, const struct image *image, const char *what)
{
	printf("%s (%s): %s\n", printable_text(host->arena, image->name), image->type, what);
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
		return tell(host, image, "sound");
	if (result.exit_status == NOT_STARTED)
		return refuse(host, image,
			arena_printf(host->arena, "%s is needed, from %s", check->tries[at][0],
				system->package));
	while (result.exit_status == check->next && ++at < FSCK_TRIES && check->tries[at][0])
		if (!run_tool(host, image, check->tries[at], handle, &result))
			return false;
	show(image, handle, &result);
	/*
	 * fsck.fat ends with the same status where it gives up: what is mended is sound when it is
	 * looked at again.
	 */
	if ((result.exit_status & ~check->mended) == 0) {
		if (!run_tool(host, image, check->tries[0], handle, &result))
			return false;
		if (result.exit_status == 0)
			return tell(host, image, "mended");
	}
	return refuse(host, image, arena_printf(host->arena, "it is not sound: %s", check->advice));
}

/*
 * The log lies beside the image itself, whatever link leads there
 * (backends/runtime/volume/volume.c).
 */
static bool no_growth_waits(const struct host *host, const struct image *image)
{
	const char *path =
		link_read(host->arena, arena_printf(host->arena, "/proc/self/fd/%d", image->fd));
	if (!path)
		return refuse(host, image, strerror(errno));
	return access(arena_printf(host->arena, "%s.grow", path), F_OK) != 0 ||
		refuse(host, image,
			"its growth was interrupted: the next start completes it, so start the VM "
			"first");
}

static bool image_check(const struct host *host, struct image *image, int directory)
{
	const struct file_system *system = file_system_find(image->type);
	struct stat st;
	if (!system || !system->fsck.tries[0][0])
		return tell(host, image, "no check is known for it");
	if (fstatat(directory, image->name, &st, 0) != 0 && errno == ENOENT)
		return tell(host, image, "not there yet");
	return image_open(host, image, directory) && image_lock(host, image) &&
		no_growth_waits(host, image) && look(host, image, system);
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

static struct json_object *description_read(const struct host *host, const struct machine *machine)
{
	struct bytes text;
	const char *path =
		path_join(host->arena, machine_path(host, machine, "current"), RUNNER_DESCRIPTION);
	if (!file_read(host->arena, host->diag, path, DESCRIPTION_BYTES, &text))
		return NULL;
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *description =
		tokener ? json_tokener_parse_ex(tokener, text.p, (int)text.n + 1) : NULL;
	if (tokener)
		json_tokener_free(tokener);
	if (!json_object_is_type(description, json_type_object))
		diag_error(host->diag, STATUS_INPUT, NULL, "bad-manifest",
			"%s is not a JSON object", path);
	return description;
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
			"a volume without its image or its file system");
	bool ok = format && strcmp(format, "raw") != 0
		? tell(host, &image,
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
		printf("%s has no volumes\n", machine->name);
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
	struct json_object *description = description_read(host, &machine);
	bool ok = json_object_is_type(description, json_type_object) &&
		check_volumes(host, &machine, description);
	json_object_put(description);
	return ok;
}
