/* SPDX-License-Identifier: MIT */
/* remove: what `microvm` and the runner made of a VM goes; what the VM wrote stays, unless it is to go too. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "compiler/base/buf.h"
#include "compiler/base/file.h"
#include "compiler/host/links.h"
#include "compiler/host/machine.h"
#include "compiler/host/roots.h"
#include "compiler/host/runners.h"
#include "compiler/host/units.h"

enum { STOP_POLL_MS = 100, STOP_TRIES = 50 };

/* `current` first: from then on it is no VM, and no unit starts it. */
static const char *const made[] = {"current", "booted", "old", "source", "flake", "toplevel", "declared", ".result", RUNNERS};

static bool is_socket(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Sockets go, the rest is named in `kept`. */
static void sort_rest(const struct host *host, const struct machine *machine, struct buf *kept)
{
	DIR *stream = opendir(machine->directory);
	if (!stream)
		return;
	for (struct dirent *entry; (entry = readdir(stream));) {
		const char *path = machine_path(host, machine, entry->d_name);
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (is_socket(path))
			unlink(path);
		else
			buf_printf(kept, "%s%s", kept->n ? ", " : "", entry->d_name);
	}
	closedir(stream);
}

static bool remove_made(const struct host *host, const struct machine *machine)
{
	bool ok = true;
	for (size_t i = 0; ok && i < countof(made); i++)
		ok = path_remove(host->diag, machine_path(host, machine, made[i]));
	return ok;
}

static bool remove_files(const struct host *host, const struct machine *machine, bool volumes)
{
	BUF_CLEANUP struct buf kept = {0};
	if (!remove_made(host, machine))
		return false;
	if (volumes)
		return path_remove(host->diag, machine->directory);
	sort_rest(host, machine, &kept);
	if (kept.n)
		printf("Kept in %s: %s\n", machine->directory, buf_text(&kept));
	else if (rmdir(machine->directory) != 0)
		return diag_error(host->diag, STATUS_FAILED, NULL, "unwritable-state", "cannot remove %s: %s", machine->directory, strerror(errno));
	return true;
}

/* systemctl does not wait for the units that stop with the VM's; the last of them takes this link away. */
static bool booted_goes(const struct host *host, const struct machine *machine)
{
	struct stat st;
	for (int tries = 0; lstat(machine_path(host, machine, "booted"), &st) == 0; tries++) {
		if (tries == STOP_TRIES)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = STOP_POLL_MS * 1000000L}, NULL);
	}
	return true;
}

/* What does not run may still be about to start again. */
static bool be_stopped(const struct host *host, const struct machine *machine, bool stop)
{
	if (stop) {
		/* Its taps are taken away by the runner's own script. A link that stays is from a crash. */
		const bool stopped = unit_stop(host, machine->name);
		if (stopped)
			booted_goes(host, machine);
		return stopped;
	}
	return (!unit_runs(host, machine->name) && booted_goes(host, machine)) ||
	       diag_error(host->diag, STATUS_FAILED, NULL, "running", "%s is running; --stop stops it first", machine->name);
}

bool verb_remove(struct host *host, const struct request *request)
{
	MACHINE_CLEANUP struct machine machine;
	if (!machine_open(host, request->name, &machine) || !be_stopped(host, &machine, request->stop) || !unit_disable(host, machine.name) ||
	    !remove_files(host, &machine, request->volumes))
		return false;
	directory_sync(machine.directory);
	directory_sync(host->state_dir);
	roots_forget(host, machine.name);
	disks_prune(host);
	printf("%s\n", host_coloured(host, COLOUR_GOOD, arena_printf(host->arena, "Removed MicroVM %s.", machine.name)));
	return true;
}
