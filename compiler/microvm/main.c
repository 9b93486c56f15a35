/* SPDX-License-Identifier: MIT */
/*
 * microvm: the VMs of a host, made, changed and looked after. The map of the sources is in
 * compiler/main.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arguments.h"
#include "base/file.h"
#include "base/interrupts.h"
#include "compiler/microvm/host.h"
#include "compiler/microvm/roots.h"

#define DEFAULT_STATE_DIR "/var/lib/microvms"

/* Whose name stands where, and what else may be said. */
enum names { NAMES_NONE, NAMES_OPTION, NAMES_WORDS, NAMES_PROGRAM };

struct verb {
	const char *option; /* long, as the table has it */
	enum names names;
	bool makes_roots; /* for Nix's garbage collector */
	bool (*run)(struct host *host, const struct request *request);
};

static const struct verb verbs[] = {
	{"create", NAMES_OPTION, true, verb_create},
	{"update", NAMES_WORDS, true, verb_update},
	{"rollback", NAMES_OPTION, false, verb_rollback},
	{"run", NAMES_OPTION, false, verb_run},
	{"list", NAMES_NONE, false, verb_list},
	{"ssh", NAMES_PROGRAM, false, verb_ssh},
	{"remove", NAMES_OPTION, true, verb_remove},
	{"connect", NAMES_OPTION, false, verb_connect},
	{"fsck", NAMES_OPTION, false, verb_fsck},
};

struct command_line {
	struct host host;
	struct request request;
	const struct verb *verb;
	bool help, version;
};

static struct command_line *line_of(const struct arguments *arguments)
{
	return arguments->context;
}

/* ---- options ---- */

static bool choose(struct arguments *arguments, const char *option, const char *name)
{
	struct command_line *line = line_of(arguments);
	if (line->verb)
		return diag_error(arguments->diag, STATUS_USAGE, NULL, "usage",
			"--%s and --%s: one thing at a time", line->verb->option, option);
	for (size_t i = 0; i < countof(verbs); i++)
		if (strcmp(verbs[i].option, option) == 0)
			line->verb = &verbs[i];
	line->request.name = name;
	arguments->words_end_options = line->verb->names == NAMES_PROGRAM;
	return true;
}

static bool take_create(struct arguments *arguments, const char *value)
{
	return choose(arguments, "create", value);
}

static bool take_update(struct arguments *arguments, const char *value)
{
	return choose(arguments, "update", value);
}

static bool take_rollback(struct arguments *arguments, const char *value)
{
	return choose(arguments, "rollback", value);
}

static bool take_run(struct arguments *arguments, const char *value)
{
	return choose(arguments, "run", value);
}

static bool take_list(struct arguments *arguments, const char *value)
{
	return choose(arguments, "list", value);
}

static bool take_ssh(struct arguments *arguments, const char *value)
{
	return choose(arguments, "ssh", value);
}

static bool take_fsck(struct arguments *arguments, const char *value)
{
	return choose(arguments, "fsck", value);
}

static bool take_remove(struct arguments *arguments, const char *value)
{
	return choose(arguments, "remove", value);
}

static bool take_connect(struct arguments *arguments, const char *value)
{
	return choose(arguments, "connect", value);
}

static bool take_source(struct arguments *arguments, const char *value)
{
	line_of(arguments)->request.source = value;
	return true;
}

static bool take_restart(struct arguments *arguments, const char *value)
{
	(void)value;
	return line_of(arguments)->request.restart = true;
}

static bool take_stop(struct arguments *arguments, const char *value)
{
	(void)value;
	return line_of(arguments)->request.stop = true;
}

static bool take_volumes(struct arguments *arguments, const char *value)
{
	(void)value;
	return line_of(arguments)->request.volumes = true;
}

static bool take_all_files(struct arguments *arguments, const char *value)
{
	(void)value;
	return line_of(arguments)->request.all_files = true;
}

static bool take_json(struct arguments *arguments, const char *value)
{
	(void)value;
	return line_of(arguments)->request.json = true;
}

static bool take_state_dir(struct arguments *arguments, const char *value)
{
	line_of(arguments)->host.state_dir = value;
	return *value ||
		diag_error(arguments->diag, STATUS_USAGE, NULL, "usage",
			"--state-dir wants a directory");
}

static bool take_cache(struct arguments *arguments, const char *value)
{
	line_of(arguments)->host.cache_dir = value;
	return *value ||
		diag_error(
			arguments->diag, STATUS_USAGE, NULL, "usage", "--cache wants a directory");
}

static bool take_cache_from(struct arguments *arguments, const char *value)
{
	vec_push(arguments->arena, &line_of(arguments)->host.cache_from, value);
	return *value ||
		diag_error(arguments->diag, STATUS_USAGE, NULL, "usage",
			"--cache-from wants a directory");
}

static bool take_cache_owner(struct arguments *arguments, const char *value)
{
	vec_push(arguments->arena, &line_of(arguments)->host.cache_owners, value);
	return *value ||
		diag_error(
			arguments->diag, STATUS_USAGE, NULL, "usage", "--cache-owner wants a user");
}

static bool take_no_cache(struct arguments *arguments, const char *value)
{
	(void)value;
	return line_of(arguments)->host.no_cache = true;
}

static bool take_force(struct arguments *arguments, const char *value)
{
	(void)value;
	return line_of(arguments)->host.force = true;
}

static bool take_verbose(struct arguments *arguments, const char *value)
{
	(void)value;
	return line_of(arguments)->host.verbose = true;
}

static bool take_quiet(struct arguments *arguments, const char *value)
{
	(void)value;
	return line_of(arguments)->host.quiet = true;
}

static bool take_help(struct arguments *arguments, const char *value)
{
	(void)value;
	return line_of(arguments)->help = true;
}

static bool take_version(struct arguments *arguments, const char *value)
{
	(void)value;
	return line_of(arguments)->version = true;
}

static const struct argument_row actions[] = {
	{'c', "create", "NAME", "make a VM, from --source", false, take_create},
	{'u', "update", NULL, "build the VMs NAME... anew, from the source that each remembers",
		false, take_update},
	{'l', "list", NULL, "all VMs: current, outdated, stale; running, paused or not", false,
		take_list},
	{'r', "run", "NAME", "run a VM in the foreground", false, take_run},
	{'s', "ssh", "NAME",
		"log in over the VM's vsock; COMMAND... runs it there, -- OPTION... are ssh's",
		false, take_ssh},
	{0, "rollback", "NAME", "back to what was current before the last update", false,
		take_rollback},
	{0, "fsck", "NAME",
		"check the volumes of a VM that is stopped, and mend what can be mended without a "
		"loss",
		false, take_fsck},
	{0, "remove", "NAME", "take a VM away; its volumes stay", false, take_remove},
};

static const struct argument_row rest[] = {
	{'f', "source", "SOURCE",
		"create: a description, a directory with NAME.yaml or vm.yaml, or a flake", false,
		take_source},
	{'R', "restart", NULL, "update, rollback: restart the VM when it changed", false,
		take_restart},
	{0, "force", NULL, "update: build also what is up to date", false, take_force},
	{0, "stop", NULL, "remove: stop the VM first", false, take_stop},
	{0, "volumes", NULL, "remove: the volumes of its runners too", false, take_volumes},
	{0, "all-files", NULL, "remove: everything in its directory, also what others put there",
		false, take_all_files},
	{0, "json", NULL, "list: as JSON", false, take_json},
	{0, "state-dir", "DIR", "where the VMs are (default: " DEFAULT_STATE_DIR ")", false,
		take_state_dir},
	{0, "cache", "DIR", "where compressed store paths are kept (default: ~/.cache/mvmbuild)",
		false, take_cache},
	{0, "cache-from", "DIR",
		"another cache to take compressed store paths from, which is never written to; may "
		"be given again",
		false, take_cache_from},
	{0, "cache-owner", "USER",
		"a user who may write to such a cache, beside root and you; may be given again",
		false, take_cache_owner},
	{0, "no-cache", NULL, "neither use nor fill the own cache", false, take_no_cache},
	{'v', "verbose", NULL, "each step with the time since the start", false, take_verbose},
	{'q', "quiet", NULL, "errors only", false, take_quiet},
	{'h', "help", NULL, "this text", false, take_help},
	{0, "version", NULL, "the version", false, take_version},
};

/* ssh calls it, people do not. */
static const struct argument_row internal = {0, "connect", "VSOCK", "", false, take_connect};

static void help(void)
{
	const struct argument_table shown[] = {
		{"microvm", actions, countof(actions)}, {"microvm", rest, countof(rest)}};
	puts("microvm: the VMs of this host\n\nusage: microvm ACTION [OPTIONS]\n\nactions:");
	arguments_help(&shown[0], stdout);
	puts("\noptions:");
	arguments_help(&shown[1], stdout);
	puts("\nexit status: 0 ok, 1 it failed, 2 usage, 3 a description is wrong, 4 an input is "
	     "missing or broken, 130 interrupted");
}

static bool parse(struct arguments *arguments, int argc, char *argv[])
{
	struct argument_row rows[countof(actions) + countof(rest) + 1];
	memcpy(rows, actions, sizeof actions);
	memcpy(rows + countof(actions), rest, sizeof rest);
	rows[countof(rows) - 1] = internal;
	const struct argument_table table = {"microvm", rows, countof(rows)};
	return arguments_take(arguments, &table, argc, argv);
}

/* ---- the program ---- */

static bool check_words(const struct command_line *line, const struct arguments *arguments)
{
	if (!line->verb)
		return diag_error(arguments->diag, STATUS_USAGE, NULL, "usage",
			"nothing to do; see microvm --help");
	bool wanted = line->verb->names == NAMES_WORDS || line->verb->names == NAMES_PROGRAM;
	return wanted || arguments->words.n == 0 ||
		diag_error(arguments->diag, STATUS_USAGE, NULL, "usage",
			"--%s: what is \"%s\" for? see microvm --help", line->verb->option,
			arguments->words.v[0]);
}

static bool run(struct command_line *line, struct arguments *arguments, int argc, char *argv[])
{
	if (!parse(arguments, argc, argv))
		return false;
	if (line->help)
		help();
	else if (line->version)
		puts("microvm " MVM_VERSION);
	if (line->help || line->version)
		return true;
	if (!check_words(line, arguments))
		return false;
	line->request.words = arguments->words;
	line->request.dashed = arguments->dashed;
	line->host.state_dir = path_absolute(arguments->arena, line->host.state_dir);
	line->host.gcroots =
		roots_directory(arguments->arena, arguments->diag, line->verb->makes_roots);
	return line->verb->run(&line->host, &line->request);
}

static bool colours_wanted(void)
{
	const char *no_color = getenv("NO_COLOR");
	return isatty(STDOUT_FILENO) && !(no_color && *no_color);
}

int main(int argc, char *argv[])
{
	interrupts_clean_up(argc, argv);
	interrupts_handle();
	struct arena *arena = arena_new();
	struct diag *diag = diag_new(arena);
	struct command_line line = {
		.host = {.arena = arena,
			.diag = diag,
			.state_dir = DEFAULT_STATE_DIR,
			.colours = colours_wanted()},
	};
	struct arguments arguments = {.arena = arena, .diag = diag, .context = &line};
	diag_name_program(diag, "microvm");
	bool ok = run(&line, &arguments, argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout))
		ok = diag_error(
			diag, STATUS_FAILED, NULL, "output", "cannot write to standard output");
	const enum status status =
		ok && diag_error_count(diag) == 0 ? STATUS_OK : diag_failure(diag);
	diag_print(diag, stderr, DIAG_HUMAN, line.host.quiet);
	arena_free(arena);
	return (int)status;
}
