/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/startable.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/printable.h"
#include "base/process.h"
#include "compiler/microvm/become.h"
#include "compiler/microvm/custody.h"
#include "compiler/microvm/units.h"

enum {
	SCRIPT_BYTES = 1 << 20,
	NOT_FOUND = 127, /* setpriv, env or the shell does not exist: the result is unknown */
};

static const char *program_of(const struct host *host, const struct machine *machine,
	const char *runner, const char *name)
{
	const char *whole = runner[0] == '/' ? runner : machine_path(host, machine, runner);
	return path_join(host->arena, path_join(host->arena, whole, "bin"), name);
}

/*
 * The interpreter of a script (hostShell) that does not exist: then no script of the runner starts,
 * and the kernel reports that the script itself is not there. NULL if it exists.
 */
static const char *missing_shell(const struct host *host, const char *script)
{
	struct bytes text;
	if (!file_read(host->arena, diag_new(host->arena), script, SCRIPT_BYTES, &text) ||
		strncmp(text.p, "#!", 2) != 0)
		return NULL;
	const char *shell = arena_strndup(host->arena, text.p + 2, strcspn(text.p + 2, " \n"));
	return access(shell, X_OK) == 0 ? NULL : shell;
}

/* The check of older runners takes no options and checks the current directory. */
static bool has_modes(const struct host *host, const char *check)
{
	struct bytes text;
	return access(check, X_OK) == 0 &&
		file_read(host->arena, diag_new(host->arena), check, SCRIPT_BYTES, &text) &&
		strstr(text.p, "--running");
}

/* The command runs as the unit's user, in the VM's directory. */
static struct strings check_words(const struct host *host, const struct machine *machine,
	const char *runner, const char *mode)
{
	struct host quiet = *host;
	struct strings argv = {0};
	quiet.diag = diag_new(host->arena);
	unit_user_add(&quiet, machine, &argv);
	const char *const words[] = {"env", "-C", machine->directory,
		program_of(host, machine, runner, "microvm-check"), mode, NULL};
	strings_add(host->arena, &argv, words, countof(words));
	return argv;
}

/* Root serves the shares, so root checks that. */
static struct strings share_words(
	const struct host *host, const struct machine *machine, const char *runner)
{
	const struct unit unit = unit_find(host, machine->name);
	const char *const words[] = {"env", "-C", machine->directory,
		arena_printf(host->arena, "MICROVM_USER=%s", *unit.user ? unit.user : "root"),
		program_of(host, machine, runner, "virtiofsd-run"), "--check", NULL};
	struct strings argv = {0};
	strings_add(host->arena, &argv, words, countof(words));
	return argv;
}

/* The text of a line "PROGRAM: VM: TEXT", or "mvm-host: TEXT". */
static const char *without_names(const char *line)
{
	const int names = strncmp(line, "mvm-host: ", strlen("mvm-host: ")) == 0 ? 1 : 2;
	for (int i = 0; i < names && strstr(line, ": "); i++)
		line = strstr(line, ": ") + 2;
	return line;
}

/* All complaints of a check on one line. */
static const char *complaints(const struct host *host, const char *text)
{
	BUF_CLEANUP struct buf all = {0};
	while (*text) {
		const size_t length = strcspn(text, "\n");
		const char *line = without_names(arena_strndup(host->arena, text, length));
		if (!unit_line_is_remark(line)) {
			buf_puts(&all, all.n ? "; " : "");
			buf_printable(&all, line, strlen(line));
		}
		text += length + (text[length] == '\n');
	}
	return all.n ? arena_strdup(host->arena, buf_text(&all)) : "its check printed no reason";
}

static const char *complaint_of(const struct host *host, const struct strings *argv)
{
	struct process_result ran;
	if (!process_run(host->arena, diag_new(host->arena), argv->v, &ran) ||
		ran.exit_status == 0 || ran.exit_status == NOT_FOUND)
		return NULL;
	return complaints(host, ran.error.p);
}

const char *start_obstacle(
	const struct host *host, const struct machine *machine, const char *runner)
{
	const char *script = program_of(host, machine, runner, "microvm-check"),
		   *shell = missing_shell(host, script);
	if (shell)
		return arena_printf(host->arena, "hostShell: %s does not exist", shell);
	if (!has_modes(host, script))
		return NULL;
	const struct strings check = check_words(host, machine, runner, "--running");
	const char *obstacle = complaint_of(host, &check);
	if (obstacle || geteuid() != 0 ||
		access(program_of(host, machine, runner, "virtiofsd-run"), X_OK) != 0)
		return obstacle;
	const struct strings shares = share_words(host, machine, runner);
	return complaint_of(host, &shares);
}

/* ---- microvm --check ---- */

static bool show(const struct host *host, const struct strings *argv)
{
	struct process_result ran;
	if (!process_run_shown(host->arena, host->diag, argv->v, &ran))
		return false;
	host_say(host, "%s", ran.output.p);
	return ran.exit_status == 0;
}

static bool cannot_start(const struct host *host, const struct machine *machine)
{
	return diag_error(host->diag, STATUS_FAILED, NULL, "cannot-start",
		"%s cannot start from %s", machine->name, machine->current);
}

/* Without its unit, the VM's interfaces and shares are not prepared before the start: NULL. */
static const char *mode_of(
	const struct host *host, const struct machine *machine, const struct unit *unit)
{
	if (!unit_is_of(unit, machine->directory))
		return NULL;
	if (has_modes(host, program_of(host, machine, machine->current, "microvm-check")))
		return unit_is_active(unit) ? "--running" : "--unit";
	diag_note(host->diag, NULL, "older-runner",
		"the runner of %s is older than this program, so its check may report what the "
		"unit prepares or the running VM has",
		machine->name);
	return NULL;
}

bool verb_check(struct host *host, const struct request *request)
{
	struct machine machine;
	if (!machine_get(host, request->name, &machine) ||
		(geteuid() == 0 && !custody_take(host, machine.directory)) ||
		!machine_get(host, request->name, &machine))
		return false;
	if (access(program_of(host, &machine, machine.current, "microvm-check"), X_OK) != 0)
		return diag_error(host->diag, STATUS_FAILED, NULL, "cannot-start",
			"the runner of %s has no microvm-check", machine.name);
	const char *shell =
		missing_shell(host, program_of(host, &machine, machine.current, "microvm-check"));
	if (shell)
		return diag_error(host->diag, STATUS_FAILED, NULL, "cannot-start",
			"%s cannot start: hostShell: %s does not exist", machine.name, shell);
	const struct unit unit = unit_find(host, machine.name);
	const bool own = unit_is_of(&unit, machine.directory);
	const char *mode = mode_of(host, &machine, &unit);
	const struct strings check = check_words(host, &machine, machine.current, mode),
			     shares = share_words(host, &machine, machine.current);
	bool ok = true;
	if (own && geteuid() == 0 &&
		access(program_of(host, &machine, machine.current, "virtiofsd-run"), X_OK) == 0)
		ok = show(host, &shares);
	return (show(host, &check) && ok) || cannot_start(host, &machine);
}
