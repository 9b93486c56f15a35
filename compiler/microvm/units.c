/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/printable.h"
#include "base/process.h"

/* The status of a program that could not be started; base/process.h. */
enum { NOT_STARTED = 127 };

const char *unit_name(struct arena *arena, const char *name)
{
	return arena_printf(arena, "microvm@%s.service", name);
}

static const char *const unit_helpers[] = {"microvm-set-booted@", "microvm-tap-interfaces@",
	"microvm-macvtap-interfaces@", "microvm-pci-devices@", "microvm-virtiofsd@",
	"microvm-disk@", "microvm-machine@", NULL};

static struct strings units_of_vm(const struct host *host, const char *name)
{
	struct strings names = {0};
	for (size_t i = 0; unit_helpers[i]; i++)
		vec_push(host->arena, &names,
			arena_printf(host->arena, "%s%s.service", unit_helpers[i], name));
	vec_push(host->arena, &names, unit_name(host->arena, name));
	return names;
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

static unsigned long long number_of(const struct host *host, const char *block, const char *name)
{
	return strtoull(value_of(host, block, name), NULL, 10);
}

static struct unit unit_from(const struct host *host, const char *name, const char *block)
{
	return (struct unit){
		.name = name,
		.is_loaded = strcmp(value_of(host, block, "LoadState"), "loaded") == 0,
		.user = value_of(host, block, "User"),
		.group = value_of(host, block, "Group"),
		.groups = value_of(host, block, "SupplementaryGroups"),
		.directory = value_of(host, block, "WorkingDirectory"),
		.active = value_of(host, block, "ActiveState"),
		.sub = value_of(host, block, "SubState"),
		.result = value_of(host, block, "Result"),
		.enabled = value_of(host, block, "UnitFileState"),
		.restarts = number_of(host, block, "NRestarts"),
		.process = number_of(host, block, "MainPID"),
		.status = number_of(host, block, "ExecMainStatus"),
		.has_job = number_of(host, block, "Job") != 0,
		.since_us = number_of(host, block, "StateChangeTimestampMonotonic"),
	};
}

/* The block after this one, in the order of the command line. */
static const char *next_block(const char *block)
{
	const char *end = strstr(block, "\n\n");
	return end ? end + strlen("\n\n") : block + strlen(block);
}

struct unit *units_ask(const struct host *host, const struct strings *names)
{
	struct unit *units = arena_alloc(host->arena, names->n * sizeof *units);
	struct strings argv = {0};
	struct process_result ran;
	static const char *const words[] = {"systemctl", "show",
		"--property=LoadState,User,Group,SupplementaryGroups,WorkingDirectory,ActiveState,"
		"SubState,Result,UnitFileState,NRestarts,MainPID,ExecMainStatus,"
		"StateChangeTimestampMonotonic,Job",
		"--"};
	strings_add(host->arena, &argv, words, countof(words));
	strings_add(host->arena, &argv, names->v, names->n);
	vec_push(host->arena, &argv, NULL);
	const bool asked =
		names->n && process_run(host->arena, diag_new(host->arena), argv.v, &ran);
	const char *block = asked ? ran.output.p : "";
	for (size_t i = 0; i < names->n; i++) {
		units[i] = unit_from(host, names->v[i], block);
		block = next_block(block);
	}
	return units;
}

struct unit unit_find(const struct host *host, const char *name)
{
	const char *unit = unit_name(host->arena, name);
	const struct strings one = {.v = &unit, .n = 1};
	return units_ask(host, &one)[0];
}

bool unit_is_active(const struct unit *unit)
{
	return strcmp(unit->active, "active") == 0;
}

bool unit_has_failed(const struct unit *unit)
{
	return strcmp(unit->active, "failed") == 0 || strcmp(unit->sub, "auto-restart") == 0;
}

/* With Restart=always, a unit fails only when systemd's limit of starts is reached. */
static bool unit_gave_up(const struct unit *unit)
{
	return strcmp(unit->result, "start-limit-hit") == 0 ||
		(strcmp(unit->active, "failed") == 0 && unit->restarts);
}

bool units_gave_up(const struct host *host, const char *name)
{
	const struct strings names = units_of_vm(host, name);
	const struct unit *units = units_ask(host, &names);
	for (size_t i = 0; i < names.n; i++)
		if (unit_gave_up(&units[i]))
			return true;
	return false;
}

bool unit_is_of(const struct unit *unit, const char *directory)
{
	return unit->is_loaded && strcmp(unit->directory, directory) == 0;
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

bool unit_stop(const struct host *host, const char *name)
{
	return control(host, "stop", name, true);
}

bool unit_disable(const struct host *host, const char *name)
{
	return control(host, "disable", name, false);
}

/* Runs `systemctl VERB` for all units of the VM. */
static bool control_all(
	const struct host *host, const char *verb, const char *name, struct process_result *ran)
{
	const struct strings names = units_of_vm(host, name);
	struct strings argv = {0};
	vec_push(host->arena, &argv, "systemctl");
	vec_push(host->arena, &argv, verb);
	strings_add(host->arena, &argv, names.v, names.n);
	vec_push(host->arena, &argv, NULL);
	return process_run(host->arena, host->diag, argv.v, ran);
}

bool units_forget(const struct host *host, const char *name)
{
	struct process_result ran;
	if (!control_all(host, "revert", name, &ran))
		return false;
	/* It reports each file that it removes, and nothing where systemd does not run. */
	host_say(host, "%s", ran.error.p);
	return control_all(host, "reset-failed", name, &ran);
}

/* ---- failures ---- */

enum { REASON_BYTES = 300 };

/* The visible part of a line: its text after the last carriage return. */
static const char *visible_part(const struct host *host, const char *line, size_t length)
{
	while (length && (line[length - 1] == '\r' || line[length - 1] == ' '))
		length--;
	const char *text = arena_strndup(host->arena, line, length);
	const char *carriage = strrchr(text, '\r');
	return carriage ? carriage + 1 : text;
}

bool unit_line_is_remark(const char *line)
{
	return strstr(line, "the guest runs slowly, without KVM");
}

/* The last line of the unit's processes that is not empty or a remark. */
static const char *last_words(const struct host *host, const char *unit, const char *since)
{
	const char *const sync[] = {"journalctl", "--sync", NULL};
	const char *const argv[] = {"journalctl", "-q", "-a", "-b", "-o", "cat", "-n", "20",
		"--since", since ? since : "1970-01-01",
		arena_printf(host->arena, "_SYSTEMD_UNIT=%s", unit), NULL};
	struct process_result ran;
	const char *last = NULL;
	process_run(host->arena, diag_new(host->arena), sync, &ran);
	if (!process_run(host->arena, diag_new(host->arena), argv, &ran))
		return NULL;
	for (const char *at = ran.output.p; *at;) {
		const size_t length = strcspn(at, "\n");
		const char *line = visible_part(host, at, length);
		if (*line && !unit_line_is_remark(line))
			last = line;
		at += length + (at[length] == '\n');
	}
	return last ? printable_text(host->arena,
			      arena_strndup(host->arena, last, strnlen(last, REASON_BYTES)))
		    : NULL;
}

static const char *unit_text(const struct host *host, const struct unit *unit)
{
	return strcmp(unit->result, "exit-code") == 0
		? arena_printf(host->arena, "it ended with status %lu", unit->status)
		: arena_printf(host->arena, "systemd reports %s", unit->result);
}

static const char *failure_of(const struct host *host, const struct unit *unit, const char *since)
{
	const char *words = last_words(host, unit->name, since);
	return words ? words : unit_text(host, unit);
}

const char *unit_failure(const struct host *host, const char *name, const char *since)
{
	const struct strings names = units_of_vm(host, name);
	const struct unit *units = units_ask(host, &names);
	for (size_t i = 0; i < names.n; i++) {
		const struct unit *unit = &units[i];
		if (!unit_has_failed(unit))
			continue;
		const char *words = failure_of(host, unit, since);
		return i + 1 == names.n ? words
					: arena_printf(host->arena, "%.*s failed: %s",
						  (int)strcspn(unit->name, "@"), unit->name, words);
	}
	return NULL;
}

/* ---- a start that is watched ---- */

enum { POLL_MS = 200, SETTLED_MS = 5000, PATIENCE_MS = 40 * 1000 };

/* Whether the hypervisor has not started yet: microvm-run, a shell script, runs before it. */
static bool is_shell(const struct host *host, unsigned long process)
{
	static const char *const shells[] = {"sh", "bash", "dash", "microvm-run", "busybox"};
	struct bytes bytes;
	if (!process ||
		!file_read(host->arena, diag_new(host->arena),
			arena_printf(host->arena, "/proc/%lu/comm", process), 64, &bytes))
		return true;
	for (size_t i = 0; i < countof(shells); i++)
		if (strncmp(bytes.p, shells[i], strlen(shells[i])) == 0 &&
			bytes.p[strlen(shells[i])] == '\n')
			return true;
	return false;
}

/* A start with longer preparations, or a hypervisor that is a script, counts as running. */
static const char *watch(const struct host *host, const char *name, const char *since)
{
	int settled = 0;
	for (int waited = 0; waited < PATIENCE_MS && settled < SETTLED_MS; waited += POLL_MS) {
		const struct unit unit = unit_find(host, name);
		if (unit_has_failed(&unit) || unit.restarts || !unit_is_active(&unit)) {
			const char *why = unit_failure(host, name, since);
			return why ? why : failure_of(host, &unit, since);
		}
		if (!is_shell(host, unit.process))
			settled += POLL_MS;
		nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
	}
	return NULL;
}

const char *unit_restart_watched(const struct host *host, const char *name)
{
	const char *since = arena_printf(host->arena, "@%lld", (long long)time(NULL));
	struct process_result ran;
	struct host quiet = *host;
	quiet.diag = diag_new(host->arena);
	/* A new runner gets all its tries, even if systemd has given up on the old one. */
	control_all(&quiet, "reset-failed", name, &ran);
	if (control(&quiet, "restart", name, true))
		return watch(host, name, since);
	const char *why = unit_failure(host, name, since);
	return why ? why : diag_summary(host->arena, quiet.diag);
}
