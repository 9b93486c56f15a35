/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/file.h"
#include "base/shape.h"
#include "compiler/microvm/custody.h"
#include "compiler/microvm/links.h"

/* With these prefixes, the names of two VMs' garbage collector roots could collide. */
static const char *const reserved[] = {"booted-", "old-"};

/*
 * systemd's limit for a unit's name is 255; ours leaves room for microvm-macvtap-interfaces@ and
 * .service.
 */
enum { NAME_LIMIT = 200 };

bool machine_name_check(struct diag *diag, const char *name)
{
	if (!is_name(name) || strlen(name) > NAME_LIMIT)
		return diag_error(diag, STATUS_USAGE, NULL, "bad-vm-name",
			"\"%.80s\" is not a valid name of a VM: use at most %d letters, digits, "
			"'-', '_' and '.', starting with a letter or digit",
			name, NAME_LIMIT);
	for (size_t i = 0; i < countof(reserved); i++)
		if (strncmp(name, reserved[i], strlen(reserved[i])) == 0)
			return diag_error(diag, STATUS_USAGE, NULL, "bad-vm-name",
				"\"%s\" is not a valid name of a VM: it begins with \"%s\"", name,
				reserved[i]);
	return true;
}

const char *machine_path(const struct host *host, const struct machine *machine, const char *name)
{
	return path_join(host->arena, machine->directory, name);
}

static const char *link_that_counts(
	const struct host *host, const char *directory, const char *name)
{
	return custody_counts(host, directory, name)
		? link_read(host->arena, path_join(host->arena, directory, name))
		: NULL;
}

void machine_read_links(const struct host *host, struct machine *machine)
{
	machine->current = link_that_counts(host, machine->directory, "current");
	machine->booted = link_read(host->arena, machine_path(host, machine, "booted"));
	machine->old = link_that_counts(host, machine->directory, "old");
}

void machine_find(const struct host *host, const char *name, struct machine *machine)
{
	*machine = (struct machine){.name = name,
		.directory = path_join(host->arena, host->state_dir, name),
		.lock = -1};
	machine_read_links(host, machine);
}

bool machine_is_vm(const struct host *host, const struct machine *machine)
{
	return machine->current || custody_counts(host, machine->directory, "toplevel");
}

bool machine_lock(const struct host *host, struct machine *machine)
{
	machine->lock = open(machine->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (machine->lock < 0)
		return diag_error(host->diag, STATUS_FAILED, NULL, "state", "cannot open %s: %s",
			machine->directory, strerror(errno));
	int taken;
	while ((taken = flock(machine->lock, LOCK_EX)) != 0 && errno == EINTR)
		;
	/* Some file systems do not support locks. */
	if (taken != 0 && errno != ENOLCK && errno != EOPNOTSUPP)
		return diag_error(host->diag, STATUS_FAILED, NULL, "state", "cannot lock %s: %s",
			machine->directory, strerror(errno));
	bool ok = custody_take(host, machine->directory);
	machine_read_links(host, machine);
	return ok;
}

bool machine_is_missing(const struct host *host, const struct machine *machine)
{
	return diag_error(host->diag, STATUS_INPUT, NULL, "no-such-vm",
		"there is no VM \"%s\" in %s", machine->name, host->state_dir);
}

static bool must_be_there(const struct host *host, const struct machine *machine)
{
	return machine->current || machine_is_missing(host, machine);
}

bool machine_get(const struct host *host, const char *name, struct machine *machine)
{
	*machine = (struct machine){.lock = -1};
	if (!machine_name_check(host->diag, name))
		return false;
	machine_find(host, name, machine);
	return must_be_there(host, machine);
}

bool machine_open(const struct host *host, const char *name, struct machine *machine)
{
	return machine_get(host, name, machine) && machine_lock(host, machine) &&
		must_be_there(host, machine);
}

void machine_close(struct machine *machine)
{
	fd_close(&machine->lock);
}

static int compare_naturally(const void *a, const void *b)
{
	const char *const *one = a, *const *other = b;
	return strverscmp(*one, *other);
}

bool machines_find(const struct host *host, struct strings *names)
{
	*names = (struct strings){0};
	DIR *stream = opendir(host->state_dir);
	if (!stream)
		return errno == ENOENT ||
			diag_error(host->diag, STATUS_INPUT, NULL, "state", "cannot read %s: %s",
				host->state_dir, strerror(errno));
	for (struct dirent *entry; (entry = directory_next(stream, host->state_dir));)
		if (is_name(entry->d_name) &&
			link_that_counts(host,
				path_join(host->arena, host->state_dir, entry->d_name), "current"))
			vec_push(host->arena, names, arena_strdup(host->arena, entry->d_name));
	closedir(stream);
	if (names->n)
		qsort(names->v, names->n, sizeof *names->v, compare_naturally);
	return true;
}

/* Hex digits of the fingerprint in names; 128 bits are enough to distinguish runners. */
enum { PLACE_DIGITS = 32 };

const char *runner_place(struct arena *arena, const char *fingerprint)
{
	return arena_printf(arena, RUNNERS "/%.*s", PLACE_DIGITS, fingerprint);
}
