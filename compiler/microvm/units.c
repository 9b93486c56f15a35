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
