/* SPDX-License-Identifier: MIT */
/* list: compares every VM with its source. A broken VM or source is shown in its line. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/printable.h"
#include "compiler/microvm/by_hand.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/list.h"
#include "compiler/microvm/pause.h"
#include "compiler/microvm/roots.h"
#include "compiler/runner/manifest.h"
#include "compiler/runner/runner.h"

/* ---- finding out ---- */

/*
 * For runners without the link to their system: the description has it, too, or the directory of a
 * root file system.
 */
static const char *described_system(const struct host *host, const char *runner)
{
	static const char *const options[] = {"toplevel", "rootfs"};
	const char *system = NULL;
	struct json_object *value;
	if (!path_exists(path_join(host->arena, runner, RUNNER_DESCRIPTION)))
		return NULL;
	struct json_object *description =
		description_read(host->arena, diag_new(host->arena), runner);
	for (size_t i = 0; !system && i < countof(options); i++)
		if (json_object_object_get_ex(description, options[i], &value) && value)
			system = arena_strdup(host->arena, json_object_get_string(value));
	json_object_put(description);
	return system;
}

/* The runner that a link of the VM leads to. */
static struct product runner_behind(const struct host *host, const struct machine *machine,
	const char *link, const char *target)
{
	struct product product = {.target = target};
	const char *runner = machine_path(host, machine, link);
	if (!target)
		return product;
	product.fingerprint = runner_fingerprint_of(host->arena, runner);
	product.system =
		link_read(host->arena, path_join(host->arena, runner, RUNNER_SHARE "/system"));
	if (!product.system)
		product.system = described_system(host, runner);
	return product;
}

/* Compares what both have: the fingerprint, else the system, else the path. */
static bool is_same(const struct product *a, const struct product *b)
{
	if (a->fingerprint && b->fingerprint)
		return strcmp(a->fingerprint, b->fingerprint) == 0;
	if (a->system && b->system)
		return strcmp(a->system, b->system) == 0;
	return a->target && b->target && strcmp(a->target, b->target) == 0;
}

/* Finds out what a build would make, or what is wrong with the source. */
static bool ask_source(const struct host *host, struct row *row)
{
	struct host quiet = *host;
	quiet.diag = diag_new(host->arena);
	if (source_read(&quiet, row->machine.directory, &row->source) &&
		source_wanted(&quiet, &row->source, row->machine.name, &row->wanted))
		return true;
	row->problem = diag_summary(host->arena, quiet.diag);
	return false;
}

static enum state find_state(const struct host *host, struct row *row)
{
	const struct machine *machine = &row->machine;
	if (!path_exists(machine_path(host, machine, "current/bin/microvm-run"))) {
		row->problem = arena_printf(host->arena, "%s is not a runner", machine->current);
		return STATE_BROKEN;
	}
	row->current = runner_behind(host, machine, "current", machine->current);
	row->booted = runner_behind(host, machine, "booted", machine->booted);
	if (!ask_source(host, row))
		return STATE_UNKNOWN;
	if (row->source.kind != SOURCE_UNKNOWN && !row->wanted.fingerprint &&
		!row->current.system) {
		row->problem = "its runner does not name its system";
		return STATE_UNKNOWN;
	}
	if (row->source.kind != SOURCE_UNKNOWN && !is_same(&row->current, &row->wanted))
		return STATE_OUTDATED;
	return machine->booted && !is_same(&row->current, &row->booted) ? STATE_STALE
									: STATE_CURRENT;
}

/* ---- the verb ---- */

static void print_left(const struct host *host, const struct left *left, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		BUF_CLEANUP struct buf names = {0};
		for (size_t k = 0; k < left[i].files.n; k++) {
			buf_puts(&names, k ? ", " : "");
			buf_printable(&names, left[i].files.v[k], strlen(left[i].files.v[k]));
		}
		printf("%s has files that a removal kept: %s; microvm --remove %s --all-files "
		       "removes them\n",
			printable_text(host->arena, left[i].directory), buf_text(&names),
			left[i].name);
	}
}

/* If the VM was booted, its sockets belong to its unit, which may be starting or stopping. */
static const char *find_by_hand(
	const struct host *host, const struct workers *workers, const struct machine *machine)
{
	const char *found = by_hand(host, workers, machine);
	return found || machine->booted ? found : socket_in_use(host, machine);
}

static void print_dangling(const struct host *host, const struct strings *dangling)
{
	for (size_t i = 0; i < dangling->n; i++)
		printf("%s protects nothing: its VM is gone\n",
			host_coloured(
				host, COLOUR_BAD, printable_text(host->arena, dangling->v[i])));
}

static struct unit *units_of(const struct host *host, const struct strings *names)
{
	struct strings units = {0};
	for (size_t i = 0; i < names->n; i++)
		vec_push(host->arena, &units, unit_name(host->arena, names->v[i]));
	return units_ask(host, &units);
}

static void fill_row(const struct host *host, const struct workers *workers,
	const struct unit *unit, const char *name, struct row *row)
{
	row->unit = *unit;
	machine_find(host, name, &row->machine);
	/* systemd may know a unit of this name that runs a VM of another state directory. */
	if (!unit_is_of(unit, row->machine.directory) && unit->is_loaded && *unit->directory)
		row->unit = (struct unit){
			.name = "", .active = "", .sub = "", .result = "", .enabled = ""};
	row->by_hand =
		unit_is_active(&row->unit) ? NULL : find_by_hand(host, workers, &row->machine);
	row->failure = unit_is_active(&row->unit) || !*row->unit.active
		? NULL
		: unit_failure(host, name, NULL);
	row->gave_up = row->failure && units_gave_up(host, name);
	row->paused = machine_pause(host, &row->machine);
	row->state = find_state(host, row);
}

bool verb_list(struct host *host, const struct request *request)
{
	struct strings names;
	struct workers workers;
	size_t nleft;
	if (!machines_find(host, &names))
		return false;
	const struct unit *units = units_of(host, &names);
	workers_find(host, &workers);
	struct row *rows = arena_alloc(host->arena, names.n * sizeof *rows);
	for (size_t i = 0; i < names.n; i++)
		fill_row(host, &workers, &units[i], names.v[i], &rows[i]);
	const struct left *left = left_find(host, &nleft);
	const struct strings dangling = roots_dangling(host);
	if (request->json) {
		list_print_json(host, rows, names.n, left, nleft, &dangling);
		return true;
	}
	if (names.n)
		list_print_table(host, rows, names.n);
	else
		printf("There are no VMs in %s%s; microvm -c NAME -f SOURCE creates one.\n",
			host->state_dir,
			path_exists(host->state_dir) ? "" : ", which does not exist");
	print_left(host, left, nleft);
	print_dangling(host, &dangling);
	return true;
}
