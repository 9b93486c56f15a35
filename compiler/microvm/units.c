/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/units.h"

#include <string.h>

#include "base/process.h"

/* The status of a program that could not be started; base/process.h. */
enum { NOT_STARTED = 127 };

const char *unit_name(struct arena *arena, const char *name)
{
	return arena_printf(arena, "microvm@%s.service", name);
}

/* ---- what systemd knows ---- */

/* The value of NAME=VALUE in a block of lines, which ends with an empty line. */
static const char *value_of(const struct host *host, const char *block, const char *name)
{
	const size_t length = strlen(name);
	for (const char *line = block; *line && *line != '\n';) {
		const size_t whole = strcspn(line, "\n");
		if (strncmp(line, name, length) == 0 && line[length] == '=')
			return arena_strndup(host->arena, line + length + 1, whole - length - 1);
		line += whole + (line[whole] == '\n');
	}
	return "";
}

static struct unit unit_from(const struct host *host, const char *block)
{
	return (struct unit){
		.is_loaded = strcmp(value_of(host, block, "LoadState"), "loaded") == 0,
		.user = value_of(host, block, "User"),
		.group = value_of(host, block, "Group"),
		.groups = value_of(host, block, "SupplementaryGroups"),
		.directory = value_of(host, block, "WorkingDirectory"),
	};
}

struct unit unit_find(const struct host *host, const char *name)
{
	const char *const argv[] = {"systemctl", "show",
		"--property=LoadState,User,Group,SupplementaryGroups,WorkingDirectory",
		unit_name(host->arena, name), NULL};
	struct process_result ran;
	const bool asked = process_run(host->arena, diag_new(host->arena), argv, &ran);
	return unit_from(host, asked ? ran.output.p : "");
}

/* ---- states ---- */

/* The states of the units, one per line, in their order. */
static const char *ask_states(const struct host *host, const struct strings *names)
{
	struct strings argv = {0};
	struct process_result ran;
	vec_push(host->arena, &argv, "systemctl");
	vec_push(host->arena, &argv, "is-active");
	for (size_t i = 0; i < names->n; i++)
		vec_push(host->arena, &argv, unit_name(host->arena, names->v[i]));
	vec_push(host->arena, &argv, NULL);
	return names->n && process_run(host->arena, host->diag, argv.v, &ran) ? ran.output.p : "";
}

bool *units_running(const struct host *host, const struct strings *names)
{
	bool *running = arena_alloc(host->arena, names->n * sizeof *running);
	const char *states = ask_states(host, names);
	for (size_t i = 0; i < names->n && *states; i++) {
		size_t length = strcspn(states, "\n");
		running[i] = length == strlen("active") && strncmp(states, "active", length) == 0;
		states += length + (states[length] == '\n');
	}
	return running;
}

bool unit_runs(const struct host *host, const char *name)
{
	const struct strings one = {.v = &name, .n = 1};
	return units_running(host, &one)[0];
}

static bool control(const struct host *host, const char *verb, const char *name, bool needed)
{
	const char *unit = unit_name(host->arena, name);
	const char *const argv[] = {"systemctl", verb, unit, NULL};
	struct process_result ran;
	if (!process_run(host->arena, host->diag, argv, &ran))
		return false;
	if (ran.exit_status == 0 || (ran.exit_status == NOT_STARTED && !needed))
		return true;
	return diag_error(host->diag, STATUS_FAILED, NULL, "systemctl",
		"systemctl %s %s failed: %.*s", verb, unit, (int)strcspn(ran.error.p, "\n"),
		ran.error.p);
}

bool unit_restart(const struct host *host, const char *name)
{
	return control(host, "restart", name, true);
}

bool unit_stop(const struct host *host, const char *name)
{
	return control(host, "stop", name, true);
}

bool unit_disable(const struct host *host, const char *name)
{
	return control(host, "disable", name, false);
}
