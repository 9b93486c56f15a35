/* SPDX-License-Identifier: MIT */
/* create: builds a VM in a temporary directory and renames it into place. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/staging.h"
#include "compiler/microvm/contents.h"
#include "compiler/microvm/custody.h"
#include "compiler/microvm/host_disks.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/machine.h"
#include "compiler/microvm/roots.h"
#include "compiler/microvm/runners.h"
#include "compiler/microvm/source.h"
#include "compiler/microvm/units.h"

struct creation {
	const struct host *host;
	const char *name;
	struct source source;
	struct staging staging;
};

static bool fill(const struct creation *creation)
{
	const struct host *host = creation->host;
	const char *directory = creation->staging.directory;
	struct product product;
	if (!source_build(host, &creation->source, creation->name, directory, &product))
		return false;
	if (!host_disk_link(host, product_runner(host, directory, &product)))
		return false;
	if (!source_write(host, directory, &creation->source))
		return false;
	if (!link_set(host->arena, host->diag, path_join(host->arena, directory, "current"),
		    product.target))
		return false;
	return custody_open_to_group(host, directory);
}

/*
 * An existing directory keeps its other files, such as the volumes of a removed VM. It becomes a VM
 * with `current`. Everything that an interrupted creation or removal left is removed or replaced.
 */
static bool move_into(const struct creation *creation, const struct machine *machine)
{
	static const char *const names[] = {"old", "booted", "declared", "toplevel", ".result",
		RUNNERS, "source", "flake", "current", REMOVING};
	const struct host *host = creation->host;
	if (!runners_are_ours(host, machine))
		return false;
	for (size_t i = 0; i < countof(names); i++) {
		const char *from = path_join(host->arena, creation->staging.directory, names[i]),
			   *to = machine_path(host, machine, names[i]);
		if (!path_remove(host->diag, to))
			return false;
		if (rename(from, to) != 0 && errno != ENOENT)
			return diag_error(host->diag, STATUS_FAILED, NULL, "unwritable-state",
				"cannot write %s: %s", to, strerror(errno));
	}
	return custody_open_to_group(host, machine->directory);
}

static bool refuse_existing(const struct creation *creation, const struct machine *machine)
{
	return diag_error(creation->host->diag, STATUS_FAILED, NULL, "vm-exists",
		"the VM \"%s\" already exists: %s", creation->name, machine->directory);
}

static bool publish(struct creation *creation)
{
	const struct host *host = creation->host;
	MACHINE_CLEANUP struct machine machine;
	machine_find(host, creation->name, &machine);
	if (!path_exists(machine.directory))
		return staging_publish_new(host->diag, &creation->staging);
	if (!machine_lock(host, &machine))
		return false;
	return machine_is_vm(host, &machine) ? refuse_existing(creation, &machine)
					     : move_into(creation, &machine);
}

static bool create(struct creation *creation)
{
	const struct host *host = creation->host;
	roots_leave_no_litter(host, creation->name);
	bool ok = fill(creation) && roots_make(host, creation->name) && publish(creation);
	staging_abandon(&creation->staging);
	struct machine machine;
	machine_find(host, creation->name, &machine);
	if (!machine_is_vm(host, &machine))
		roots_forget(host, creation->name);
	flake_forget_result(host, machine.directory);
	return ok;
}

static void print_start(const struct host *host, const char *name)
{
	host_say(host, "%s Start it, now and at each boot: %s\n",
		host_coloured(
			host, COLOUR_GOOD, arena_printf(host->arena, "Created MicroVM %s.", name)),
		host_coloured(host, COLOUR_COMMAND,
			arena_printf(host->arena, "systemctl enable --now microvm@%s", name)));
}

bool verb_create(struct host *host, const struct request *request)
{
	struct creation creation = {.host = host, .name = request->name};
	struct machine machine;
	if (!machine_name_check(host->diag, request->name) ||
		!source_parse(host, request->source, &creation.source))
		return false;
	machine_find(host, request->name, &machine);
	if (machine_is_vm(host, &machine))
		return refuse_existing(&creation, &machine);
	if (!directory_make(host->diag, host->state_dir, 0755) || !custody_take_state(host) ||
		!staging_begin(host->arena, host->diag, machine.directory, &creation.staging) ||
		!create(&creation))
		return false;
	print_start(host, request->name);
	return true;
}
