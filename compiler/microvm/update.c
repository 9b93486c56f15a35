/* SPDX-License-Identifier: MIT */
/* update: makes another runner `current` and the previous one `old`; rollback swaps them. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "compiler/microvm/host_disks.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/machine.h"
#include "compiler/microvm/roots.h"
#include "compiler/microvm/runners.h"
#include "compiler/microvm/source.h"
#include "compiler/microvm/startable.h"
#include "compiler/microvm/units.h"

static bool swap(const struct host *host, struct machine *machine)
{
	if (!links_swap(host->arena, host->diag, machine_path(host, machine, "old"),
		    machine_path(host, machine, "current")))
		return false;
	const char *before = machine->current;
	machine->current = machine->old;
	machine->old = before;
	return true;
}

static bool go_back(const struct host *host, struct machine *machine, const char *why)
{
	diag_error(host->diag, STATUS_FAILED, NULL, "start-failed",
		"%s does not run with its new runner: %s", machine->name, why);
	if (!swap(host, machine))
		return false;
	why = unit_restart_watched(host, machine->name);
	if (why)
		return diag_error(host->diag, STATUS_FAILED, NULL, "start-failed",
			"%s does not run with the runner before that either: %s", machine->name,
			why);
	host_say(host, "MicroVM %s is %s.\n", machine->name,
		host_coloured(host, COLOUR_BAD, "rolled back and runs"));
	return false;
}

static bool restart(const struct host *host, struct machine *machine, bool rollback)
{
	host_say(host, "%s MicroVM %s\n", machine->booted ? "Rebooting" : "Booting", machine->name);
	fflush(stdout);
	const char *why = unit_restart_watched(host, machine->name);
	if (!why)
		return true;
	if (rollback && machine->old)
		return go_back(host, machine, why);
	return diag_error(host->diag, STATUS_FAILED, NULL, "start-failed",
		"%s does not run with its new runner: %s%s%s", machine->name, why,
		machine->old ? "; to go back: microvm -R --rollback " : "",
		machine->old ? machine->name : "");
}

/* Prints the same text as microvm.nix does. */
static bool advise_or_restart(const struct host *host, struct machine *machine,
	const struct request *request, bool changed)
{
	/* Going back helps only if the VM ran from the old runner before. */
	const bool from_old =
		machine->booted && machine->old && strcmp(machine->booted, machine->old) == 0;
	if (machine->booted && strcmp(machine->booted, machine->current) == 0) {
		host_say(host, "No reboot of MicroVM %s required.\n", machine->name);
		return true;
	}
	if (request->restart || request->rollback_on_failure)
		return restart(
			host, machine, request->rollback_on_failure && (changed || from_old));
	if (machine->booted)
		host_say(host, "Reboot MicroVM %s for the new profile: %s\n", machine->name,
			host_coloured(host, COLOUR_COMMAND,
				arena_printf(host->arena, "systemctl restart %s",
					unit_name(host->arena, machine->name))));
	return true;
}

/* `old` first: if interrupted in between, both links name the old runner, which is harmless. */
static bool make_current(const struct host *host, struct machine *machine, const char *target)
{
	if (!link_set(host->arena, host->diag, machine_path(host, machine, "old"),
		    machine->current) ||
		!link_set(host->arena, host->diag, machine_path(host, machine, "current"), target))
		return false;
	machine->old = machine->current;
	machine->current = target;
	return true;
}

/* A running VM must not be stopped for a runner that cannot start. */
static bool is_startable(const struct host *host, const struct machine *machine,
	const struct product *product, const struct request *request)
{
	const bool changed = strcmp(machine->current, product->target) != 0,
		   boots = machine->booted && strcmp(machine->booted, product->target) != 0;
	if (!changed && !boots)
		return true;
	const bool restarts = request->restart || request->rollback_on_failure;
	const char *why =
		restarts || machine->booted ? start_obstacle(host, machine, product->target) : NULL;
	if (!why)
		return true;
	if (restarts)
		return diag_error(host->diag, STATUS_FAILED, NULL, "cannot-start",
			"%s %s, because the new one cannot start: %s", machine->name,
			changed ? "keeps its runner" : "keeps running with its old runner", why);
	diag_warning(host->diag, NULL, "cannot-start", "the new runner of %s cannot start: %s",
		machine->name, why);
	return true;
}

static bool update(const struct host *host, struct machine *machine, const struct request *request,
	bool *changed)
{
	struct source source;
	struct product product;
	if (!source_read(host, machine->directory, &source) ||
		!source_build(host, &source, machine->name, machine->directory, &product))
		return false;
	*changed = strcmp(machine->current, product.target) != 0;
	if (!host_disk_link(host, product_runner(host, machine->directory, &product)) ||
		!is_startable(host, machine, &product, request)) {
		flake_forget_result(host, machine->directory);
		return false;
	}
	bool ok = roots_make(host, machine->name) &&
		(!*changed || make_current(host, machine, product.target));
	flake_forget_result(host, machine->directory);
	if (ok && *changed && source.kind == SOURCE_FLAKE)
		flake_show_difference(host, machine->old, machine->current);
	return ok;
}

static bool update_one(const struct host *host, const char *name, const struct request *request)
{
	MACHINE_CLEANUP struct machine machine;
	bool changed = false;
	if (!machine_open(host, name, &machine))
		return false;
	bool ok = update(host, &machine, request, &changed);
	machine_read_links(host, &machine); /* the VM may have started or stopped meanwhile */
	link_tidy(host->arena, machine_path(host, &machine, "current"));
	link_tidy(host->arena, machine_path(host, &machine, "old"));
	ok &= runners_prune(host, &machine);
	disks_prune(host);
	ok &= host_disks_prune(host);
	if (!ok)
		return false;
	host_say(host, "MicroVM %s is %s.\n", name,
		host_coloured(host, COLOUR_GOOD, changed ? "updated" : "up to date"));
	return advise_or_restart(host, &machine, request, changed);
}

bool verb_update(struct host *host, const struct request *request)
{
	bool ok = true;
	for (size_t i = 0; i < request->words.n; i++)
		ok &= update_one(host, request->words.v[i], request);
	return ok;
}

/* The source does not change: the list shows the VM as outdated, and an update goes forward again.
 */
bool verb_rollback(struct host *host, const struct request *request)
{
	MACHINE_CLEANUP struct machine machine;
	if (!machine_open(host, request->name, &machine))
		return false;
	if (!machine.old)
		return diag_error(host->diag, STATUS_FAILED, NULL, "no-old",
			"%s has nothing to roll back to", machine.name);
	if (!path_exists(machine_path(host, &machine, "old/bin/microvm-run")))
		return diag_error(host->diag, STATUS_FAILED, NULL, "no-old",
			"the old runner of %s does not exist any more: %s", machine.name,
			machine.old);
	const char *why = request->restart ? start_obstacle(host, &machine, machine.old) : NULL;
	if (why)
		return diag_error(host->diag, STATUS_FAILED, NULL, "cannot-start",
			"%s keeps its runner, because the old one cannot start: %s", machine.name,
			why);
	if (!swap(host, &machine))
		return false;
	host_say(host, "MicroVM %s is %s.\n", machine.name,
		host_coloured(host, COLOUR_GOOD, "rolled back"));
	return advise_or_restart(host, &machine, request, true);
}
