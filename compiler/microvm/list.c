/* SPDX-License-Identifier: MIT */
/* list: compares every VM with its source. A broken VM or source is shown in its line. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/printable.h"
#include "compiler/microvm/by_hand.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/machine.h"
#include "compiler/microvm/pause.h"
#include "compiler/microvm/roots.h"
#include "compiler/microvm/source.h"
#include "compiler/microvm/units.h"
#include "compiler/plan/report.h"
#include "compiler/runner/runner.h"

enum { DESCRIPTION_BYTES = 64 << 20, FINGERPRINT_SHOWN = 8 };

enum state {
	STATE_CURRENT,  /* a build now would make the same runner */
	STATE_OUTDATED, /* a build now would make another runner */
	STATE_STALE,    /* the current runner is up to date, but the booted one is not */
	STATE_UNKNOWN,  /* the source cannot be read or evaluated */
	STATE_BROKEN,   /* `current` does not lead to a runner */
};

static const char *const state_names[] = {
	[STATE_CURRENT] = "current",
	[STATE_OUTDATED] = "outdated",
	[STATE_STALE] = "stale",
	[STATE_UNKNOWN] = "unknown",
	[STATE_BROKEN] = "broken",
};

struct row {
	struct machine machine;
	struct source source;
	bool running;        /* its unit is active */
	const char *by_hand; /* the process that runs it without its unit; NULL: none */
	const char *paused;  /* NULL: not paused */
	enum state state;
	struct product current, booted, wanted;
	const char *problem; /* NULL: none */
};

/* ---- finding out ---- */

/* For runners without the link to their system, which is in the description, too. */
static const char *described_system(const struct host *host, const char *runner)
{
	struct bytes text;
	const char *path = path_join(host->arena, runner, RUNNER_DESCRIPTION), *system = NULL;
	struct json_object *toplevel;
	if (!path_exists(path) ||
		!file_read(host->arena, diag_new(host->arena), path, DESCRIPTION_BYTES, &text))
		return NULL;
	struct json_object *description = json_tokener_parse(text.p);
	if (json_object_object_get_ex(description, "toplevel", &toplevel) && toplevel)
		system = arena_strdup(host->arena, json_object_get_string(toplevel));
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

/* ---- for people ---- */

/* The name of the system without its hash, and the first digits of the fingerprint. */
static const char *label(const struct host *host, const struct product *product)
{
	const char *base = product->system ? path_base(product->system) : "?",
		   *dash = strchr(base, '-');
	const char *name =
		printable_text(host->arena, dash && product->system[0] == '/' ? dash + 1 : base);
	return product->fingerprint ? printable_text(host->arena,
					      arena_printf(host->arena, "%s@%.*s", name,
						      FINGERPRINT_SHOWN, product->fingerprint))
				    : name;
}

static void print_state(const struct host *host, const struct row *row)
{
	const char *name = row->machine.name, *unit = unit_name(host->arena, name);
	const char *state = host_coloured(host,
		row->state == STATE_CURRENT ? COLOUR_GOOD : COLOUR_BAD, state_names[row->state]);
	const char *current = label(host, &row->current),
		   *restart = arena_printf(host->arena, "systemctl restart %s", unit);
	if (row->problem)
		printf("%s, %s", state, printable_text(host->arena, row->problem));
	else if (row->state == STATE_OUTDATED)
		printf("%s(%s), rebuild(%s) and reboot: %s", state,
			host_coloured(host, COLOUR_BAD, current),
			host_coloured(host, COLOUR_GOOD, label(host, &row->wanted)),
			host_coloured(host, COLOUR_COMMAND,
				arena_printf(host->arena, "microvm -Ru %s", name)));
	else if (row->state == STATE_STALE)
		printf("%s(%s), reboot(%s): %s", state,
			host_coloured(host, COLOUR_BAD, label(host, &row->booted)),
			host_coloured(host, COLOUR_GOOD, current),
			host_coloured(host, COLOUR_COMMAND, restart));
	else
		printf("%s(%s)", state, host_coloured(host, COLOUR_GOOD, current));
	if (row->paused)
		printf(", %s",
			host_coloured(host, COLOUR_BAD, printable_text(host->arena, row->paused)));
	else if (row->running)
		fputs(", running", stdout);
	else if (row->by_hand)
		printf(", running by hand (%s)", printable_text(host->arena, row->by_hand));
	else if (row->machine.booted)
		fputs(", booted but not running", stdout);
	else
		printf(", not booted: %s",
			host_coloured(host, COLOUR_COMMAND,
				arena_printf(host->arena, "systemctl start %s", unit)));
}

static void print_row(const struct host *host, const struct row *row)
{
	enum colour colour = row->running || row->by_hand ? COLOUR_RUNNING
		: row->machine.booted                     ? COLOUR_BOOTED
							  : COLOUR_STOPPED;
	printf("%s: ", host_coloured(host, colour, row->machine.name));
	print_state(host, row);
	putchar('\n');
}

/* ---- for programs ---- */

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

static struct json_object *json_product(const struct product *product)
{
	struct json_object *object = json_object_new_object();
	add_text(object, "runner", product->target);
	add_text(object, "system", product->system);
	add_text(object, "fingerprint", product->fingerprint);
	return object;
}

static struct json_object *json_row(const struct row *row)
{
	static const char *const kinds[] = {[SOURCE_UNKNOWN] = NULL,
		[SOURCE_DECLARED] = "declared",
		[SOURCE_DESCRIPTION] = "description",
		[SOURCE_FLAKE] = "flake"};
	struct json_object *object = json_object_new_object();
	add_text(object, "name", row->machine.name);
	add_text(object, "state", state_names[row->state]);
	json_object_object_add(
		object, "running", json_object_new_boolean(row->running || row->by_hand));
	json_object_object_add(object, "byHand", json_object_new_boolean(row->by_hand != NULL));
	add_text(object, "paused", row->paused);
	add_text(object, "sourceKind", kinds[row->source.kind]);
	add_text(object, "source", row->source.text);
	json_object_object_add(object, "current", json_product(&row->current));
	json_object_object_add(
		object, "booted", row->machine.booted ? json_product(&row->booted) : NULL);
	json_object_object_add(object, "wanted", json_product(&row->wanted));
	add_text(object, "old", row->machine.old);
	add_text(object, "problem", row->problem);
	return object;
}

/* ---- the verb ---- */

/* If the VM was booted, its sockets belong to its unit, which may be starting or stopping. */
static const char *find_by_hand(
	const struct host *host, const struct workers *workers, const struct machine *machine)
{
	const char *found = by_hand(host, workers, machine);
	return found || machine->booted ? found : socket_in_use(host, machine);
}

static void print_json(const struct host *host, const struct row *rows, size_t count,
	const struct strings *dangling)
{
	struct json_object *report = json_object_new_object(), *vms = json_object_new_array(),
			   *roots = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(vms, json_row(&rows[i]));
	for (size_t i = 0; i < dangling->n; i++)
		json_object_array_add(roots, json_object_new_string(dangling->v[i]));
	json_object_object_add(report, "vms", vms);
	json_object_object_add(report, "danglingRoots", roots);
	fputs(report_text(host->arena, report), stdout);
	json_object_put(report);
}

static void print_dangling(const struct host *host, const struct strings *dangling)
{
	for (size_t i = 0; i < dangling->n; i++)
		printf("%s protects nothing: its VM is gone\n",
			host_coloured(
				host, COLOUR_BAD, printable_text(host->arena, dangling->v[i])));
}

bool verb_list(struct host *host, const struct request *request)
{
	struct strings names;
	if (!machines_find(host, &names))
		return false;
	const bool *running = units_running(host, &names);
	struct workers workers;
	workers_find(host, &workers);
	struct row *rows = arena_alloc(host->arena, names.n * sizeof *rows);
	for (size_t i = 0; i < names.n; i++) {
		rows[i].running = running[i];
		machine_find(host, names.v[i], &rows[i].machine);
		rows[i].by_hand =
			running[i] ? NULL : find_by_hand(host, &workers, &rows[i].machine);
		rows[i].paused = machine_pause(host, &rows[i].machine);
		rows[i].state = find_state(host, &rows[i]);
		if (!request->json)
			print_row(host, &rows[i]);
	}
	const struct strings dangling = roots_dangling(host);
	if (request->json)
		print_json(host, rows, names.n, &dangling);
	else
		print_dangling(host, &dangling);
	return true;
}
