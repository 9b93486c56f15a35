/* SPDX-License-Identifier: MIT */
/*
 * remove: removes the files of a VM that `microvm` and the runner made. Volumes and files of others
 * stay, unless they are to be removed too.
 *
 * Everything is checked before anything is removed. Then `current` is renamed: from that moment the
 * directory is not a VM, and no unit starts it, but its runner can still be read for its volumes,
 * and another removal can complete an interrupted one. The renamed link is removed last.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/interrupts.h"
#include "base/printable.h"
#include "compiler/microvm/by_hand.h"
#include "compiler/microvm/contents.h"
#include "compiler/microvm/host_disks.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/roots.h"
#include "compiler/microvm/runners.h"
#include "compiler/microvm/units.h"

enum { STOP_POLL_MS = 100, STOP_TRIES = 50 };

struct removal {
	const struct host *host;
	const struct request *request;
	struct machine machine;
	struct contents contents;
};

static bool goes(const struct removal *removal, const struct content *content)
{
	switch (content->kind) {
	case CONTENT_MADE:
		return true;
	case CONTENT_VOLUME:
		return removal->request->volumes || removal->request->all_files;
	case CONTENT_OTHER:
		break;
	}
	return removal->request->all_files;
}

/* ---- before ---- */

/* Not a symbolic link, which root did not make. */
static bool is_real_directory(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Whether there is a VM, the rest of one after an interrupted removal, or what a removal kept. */
static bool is_there(const struct removal *removal)
{
	const struct machine *machine = &removal->machine;
	return machine->current || contents_are_left(removal->host, machine) ||
		(removal->request->all_files && is_real_directory(machine->directory));
}

static bool is_missing(const struct removal *removal)
{
	const struct machine *machine = &removal->machine;
	return is_real_directory(machine->directory)
		? diag_error(removal->host->diag, STATUS_INPUT, NULL, "no-such-vm",
			  "there is no VM \"%s\", but files in %s that a removal kept; add "
			  "--all-files to remove them",
			  machine->name, machine->directory)
		: machine_is_missing(removal->host, machine);
}

static bool find(struct removal *removal)
{
	const struct host *host = removal->host;
	struct machine *machine = &removal->machine;
	if (!machine_name_check(host->diag, removal->request->name))
		return false;
	machine_find(host, removal->request->name, machine);
	if (!is_there(removal))
		return is_missing(removal);
	/* Another process may have removed it before we had the lock. */
	return machine_lock(host, machine) && (is_there(removal) || is_missing(removal));
}

static bool refuse_mounts(const struct removal *removal)
{
	for (size_t i = 0; i < removal->contents.in.n; i++) {
		BUF_CLEANUP struct buf found = {0};
		const struct content *content = &removal->contents.in.v[i];
		if (goes(removal, content) &&
			tree_find_mount(
				machine_path(removal->host, &removal->machine, content->path),
				&found))
			return diag_error(removal->host->diag, STATUS_FAILED, NULL, "mounted",
				"a file system is mounted at %s; nothing is removed; unmount it "
				"first",
				buf_text(&found));
	}
	return true;
}

static bool look(struct removal *removal)
{
	return contents_find(removal->host, &removal->machine, &removal->contents) &&
		refuse_mounts(removal) &&
		(removal->request->all_files || runners_are_ours(removal->host, &removal->machine));
}

/*
 * Waits for the units that stop after the VM's, for which systemctl does not wait: the last of them
 * removes the link `booted`.
 */
static bool wait_for_units(const struct host *host, const struct machine *machine)
{
	struct stat st;
	for (int tries = 0; lstat(machine_path(host, machine, "booted"), &st) == 0; tries++) {
		if (tries == STOP_TRIES)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = STOP_POLL_MS * 1000000L}, NULL);
	}
	return true;
}

/* A unit that does not run may be about to start again. */
static bool unit_be_stopped(const struct host *host, const struct machine *machine, bool stop)
{
	if (stop) {
		/*
		 * The runner's own script removes the taps. A link that stays is left over from a
		 * crash.
		 */
		const bool stopped = unit_stop(host, machine->name);
		if (stopped)
			wait_for_units(host, machine);
		return stopped;
	}
	const bool runs = unit_runs(host, machine->name);
	return (!runs && wait_for_units(host, machine)) ||
		diag_error(host->diag, STATUS_FAILED, NULL, "running",
			"%s is %s; add --stop to stop it first", machine->name,
			runs ? "running" : "starting, or failed to start, and was not stopped");
}

/*
 * A VM may also run without its unit. Its volumes must not be removed then, nor its socket, without
 * which it could not be stopped.
 */
static bool nobody_uses(const struct removal *removal)
{
	const struct host *host = removal->host;
	const struct machine *machine = &removal->machine;
	struct workers workers;
	workers_find(host, &workers);
	const char *user = by_hand(host, &workers, machine);
	if (!user)
		user = socket_in_use(host, machine);
	if (user)
		return diag_error(host->diag, STATUS_FAILED, NULL, "running",
			"%s runs without its unit (%s); stop it first: cd %s && "
			"current/bin/microvm-shutdown",
			machine->name, user, machine->directory);
	for (size_t i = 0; i < removal->contents.in.n; i++) {
		const struct content *content = &removal->contents.in.v[i];
		user = content->kind != CONTENT_MADE && goes(removal, content)
			? file_user(host, &workers, machine, content->path)
			: NULL;
		if (user)
			return diag_error(host->diag, STATUS_FAILED, NULL, "in-use",
				"%s is in use by %s; nothing is removed",
				machine_path(host, machine, content->path), user);
	}
	return true;
}

/* systemd may know units of this name that run a VM of another state directory. */
static bool has_units(const struct removal *removal)
{
	const struct unit unit = unit_find(removal->host, removal->machine.name);
	return !*unit.directory || unit_is_of(&unit, removal->machine.directory);
}

/*
 * Looks at the directory first, so that a VM is not stopped for a removal that fails, and again
 * when the VM has stopped.
 */
static bool be_ready(struct removal *removal)
{
	if (!look(removal))
		return false;
	if (has_units(removal) &&
		!unit_be_stopped(removal->host, &removal->machine, removal->request->stop))
		return false;
	if (!look(removal))
		return false;
	if (!nobody_uses(removal))
		return false;
	return !has_units(removal) || unit_disable(removal->host, removal->machine.name);
}

/* ---- the removal ---- */

static bool cannot_remove(const struct removal *removal, const char *path)
{
	return diag_error(removal->host->diag, STATUS_FAILED, NULL, "unwritable-state",
		"cannot remove %s: %s", path, strerror(errno));
}

static bool begin(const struct removal *removal)
{
	const struct host *host = removal->host;
	const char *current = machine_path(host, &removal->machine, "current");
	interrupts_report(arena_printf(host->arena,
		"a part of %s may be removed: run microvm --remove %s again to remove the rest",
		removal->machine.name, removal->machine.name));
	if (!removal->machine.current)
		return true;
	const char *removing = machine_path(host, &removal->machine, REMOVING);
	/* rename replaces a link; anything else there is not ours. */
	if (!link_read(host->arena, removing) && !path_remove(host->diag, removing))
		return false;
	if (rename(current, removing) != 0)
		return cannot_remove(removal, current);
	directory_sync(removal->machine.directory);
	return true;
}

/* The directory of a volume may have been removed together with it. */
static bool remove_content(const struct removal *removal, const struct content *content)
{
	FD_CLEANUP int place = tree_open_below(removal->machine.lock, content->directory);
	return (place < 0 ? errno == ENOENT : tree_remove_at(place, content->name)) ||
		cannot_remove(
			removal, machine_path(removal->host, &removal->machine, content->path));
}

/* Removes runners last, because they name the volumes. The renamed link stays until the end. */
static bool remove_contents(const struct removal *removal)
{
	bool ok = true;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; ok && i < removal->contents.in.n; i++) {
			const struct content *content = &removal->contents.in.v[i];
			const bool last = strcmp(content->path, RUNNERS) == 0,
				   marked = strcmp(content->path, REMOVING) == 0;
			if (goes(removal, content) && last == (pass == 1) && !marked)
				ok = remove_content(removal, content);
		}
	return ok;
}

static void print_kept(const struct removal *removal)
{
	const struct machine *machine = &removal->machine;
	BUF_CLEANUP struct buf kept = {0};
	for (size_t i = 0; i < removal->contents.in.n; i++) {
		const struct content *content = &removal->contents.in.v[i];
		if (goes(removal, content) || *content->directory)
			continue;
		buf_puts(&kept, kept.n ? ", " : "");
		buf_printable(&kept, content->name, strlen(content->name));
	}
	if (kept.n)
		host_say(removal->host, "Kept in %s: %s\n", machine->directory, buf_text(&kept));
	for (size_t i = 0; i < removal->contents.elsewhere.n; i++)
		host_say(removal->host, "Kept: %s\n",
			printable_text(removal->host->arena, removal->contents.elsewhere.v[i]));
}

static bool has_kept(const struct removal *removal)
{
	for (size_t i = 0; i < removal->contents.in.n; i++)
		if (!goes(removal, &removal->contents.in.v[i]))
			return true;
	return false;
}

static bool end(const struct removal *removal)
{
	const struct machine *machine = &removal->machine;
	const char *mark = machine_path(removal->host, machine, REMOVING);
	directory_sync(machine->directory);
	if (!path_remove(removal->host->diag, mark))
		return false;
	directory_sync(machine->directory);
	if (has_kept(removal))
		return true;
	if (rmdir(machine->directory) == 0) {
		directory_sync(removal->host->state_dir);
		return true;
	}
	if (errno != EBUSY)
		return cannot_remove(removal, machine->directory);
	host_say(removal->host, "Kept: %s, which is a mount point\n", machine->directory);
	return true;
}

static bool remove_it(const struct removal *removal)
{
	if (!begin(removal) || !remove_contents(removal))
		return false;
	roots_forget(removal->host, removal->machine.name);
	if (has_units(removal))
		units_forget(removal->host, removal->machine.name);
	disks_prune(removal->host);
	return host_disks_prune(removal->host) && end(removal);
}

bool verb_remove(struct host *host, const struct request *request)
{
	struct removal removal = {.host = host, .request = request, .machine = {.lock = -1}};
	const bool ok = find(&removal) && be_ready(&removal) && remove_it(&removal);
	machine_close(&removal.machine);
	if (!ok)
		return false;
	print_kept(&removal);
	host_say(host, "%s\n",
		host_coloured(host, COLOUR_GOOD,
			arena_printf(host->arena, "Removed MicroVM %s.", removal.machine.name)));
	return true;
}
