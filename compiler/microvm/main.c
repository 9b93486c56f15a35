/* SPDX-License-Identifier: MIT */
/*
 * microvm: creates, updates, lists, checks and removes the VMs of a host. docs/architecture.md is
 * the map of the sources.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arguments.h"
#include "base/file.h"
#include "base/help.h"
#include "base/interrupts.h"
#include "base/plain_output.h"
#include "base/suggest.h"
#include "base/terminal.h"
#include "compiler/microvm/host.h"
#include "compiler/microvm/roots.h"
#include "compiler/session/cache_settings.h"

#define DEFAULT_STATE_DIR "/var/lib/microvms"

enum verb {
	VERB_CREATE,
	VERB_UPDATE,
	VERB_LIST,
	VERB_RUN,
	VERB_SSH,
	VERB_ROLLBACK,
	VERB_CHECK,
	VERB_FSCK,
	VERB_REMOVE,
	VERB_CONNECT, /* ssh calls it, people do not */
	VERB_COUNT
};

static const struct {
	bool makes_roots; /* for Nix's garbage collector */
	bool (*run)(struct host *host, const struct request *request);
} verbs[] = {
	[VERB_CREATE] = {true, verb_create},
	[VERB_UPDATE] = {true, verb_update},
	[VERB_LIST] = {false, verb_list},
	[VERB_RUN] = {false, verb_run},
	[VERB_SSH] = {false, verb_ssh},
	[VERB_ROLLBACK] = {false, verb_rollback},
	[VERB_CHECK] = {false, verb_check},
	[VERB_FSCK] = {false, verb_fsck},
	[VERB_REMOVE] = {true, verb_remove},
	[VERB_CONNECT] = {false, verb_connect},
};

struct command_line {
	struct host host;
	struct request request;
	bool help, version;
};

/* ---- actions and options ---- */

#define ANY ((unsigned)-1)

/* The name of the VM is the action's own value. */
static const struct argument_command commands[] = {
	[VERB_CREATE] = {"--create", "", "create a VM, from --source", 0, 0},
	[VERB_UPDATE] = {"--update", "NAME...",
		"build the VMs again, each from the source that it remembers", 1, ANY},
	[VERB_LIST] = {"--list", "",
		"list all VMs: whether they are current, outdated or stale, and whether they run",
		0, 0},
	[VERB_RUN] = {"--run", "", "run a VM in the foreground", 0, 0},
	[VERB_SSH] = {"--ssh", "[COMMAND...] | -- [OPTION...]",
		"log in over the VM's vsock, or run COMMAND there; -- precedes options of ssh", 0,
		ANY},
	[VERB_ROLLBACK] = {"--rollback", "", "go back to the runner before the last update", 0, 0},
	[VERB_CHECK] = {"--check", "",
		"check whether a VM could start: what is missing, as the user of its unit sees it",
		0, 0},
	[VERB_FSCK] = {"--fsck", "",
		"check the volumes of a stopped VM, and repair what can be repaired without a loss",
		0, 0},
	[VERB_REMOVE] = {"--remove", "", "remove a VM and keep its volumes", 0, 0},
	[VERB_CONNECT] = {"--connect", "", NULL, 0, 0},
};

#define BIT(verb) (1u << VERB_##verb)
#define BUILDS (BIT(CREATE) | BIT(UPDATE))
#define ALL ((1u << VERB_COUNT) - 1)

#define ACTION(a) .argument = (a), .kind = ARGUMENT_COMMAND, .commands = ALL, .doc = ""
#define FLAG(f) ARGUMENT_IS_FLAG(struct command_line, f)
#define STRING(f, a) ARGUMENT_IS_STRING(struct command_line, f, a)
#define STRINGS(f, a) ARGUMENT_IS_STRINGS(struct command_line, f, a)

/* The first rows are the actions, in the order of the verbs. */
static const struct argument_row rows[] = {
	{'c', "create", ACTION("NAME")},
	{'u', "update", ACTION(NULL)},
	{'l', "list", ACTION(NULL)},
	{'r', "run", ACTION("NAME")},
	{'s', "ssh", ACTION("NAME"), .program_follows = true},
	{.name = "rollback", ACTION("NAME")},
	{.name = "check", ACTION("NAME")},
	{.name = "fsck", ACTION("NAME")},
	{.name = "remove", ACTION("NAME")},
	{.name = "connect", .argument = "VSOCK", .kind = ARGUMENT_COMMAND, .commands = ALL},
	{'f', "source", STRING(request.source, "SOURCE"), .commands = BIT(CREATE),
		.doc = "use this description, directory with NAME.yaml or vm.yaml, or flake"},
	{'R', "restart", FLAG(request.restart), .commands = BIT(UPDATE) | BIT(ROLLBACK),
		.doc = "restart the VM if it changed, and watch whether it runs"},
	{.name = "rollback-on-failure",
		FLAG(request.rollback_on_failure),
		.commands = BIT(UPDATE),
		.doc = "as -R, and go back to the runner before if the VM does not run with the "
		       "new one"},
	{.name = "force",
		FLAG(host.settings.force),
		.commands = BIT(UPDATE),
		.doc = "build even if the VM is up to date"},
	{.name = "stop", FLAG(request.stop), .commands = BIT(REMOVE), .doc = "stop the VM first"},
	{.name = "volumes",
		FLAG(request.volumes),
		.commands = BIT(REMOVE),
		.doc = "also remove the volumes of its runners"},
	{.name = "all-files",
		FLAG(request.all_files),
		.commands = BIT(REMOVE),
		.doc = "remove everything in its directory, also files of others, and what an "
		       "earlier removal kept"},
	{.name = "json", FLAG(request.json), .commands = BIT(LIST), .doc = "print JSON"},
	{.name = "cache",
		STRING(host.settings.cache_dir, "DIR"),
		.commands = BUILDS,
		.doc = "keep compressed store paths in DIR (default: ~/.cache/mvmbuild)"},
	{.name = "cache-from",
		STRINGS(host.settings.cache_from, "DIR"),
		.commands = BUILDS,
		.doc = "also take compressed store paths from the cache DIR, without writing to "
		       "it; may be repeated"},
	{.name = "cache-owner",
		STRINGS(host.settings.cache_owners, "USER"),
		.commands = BUILDS,
		.doc = "trust files of USER in such a cache, beside root's and your own; may be "
		       "repeated"},
	{.name = "no-cache",
		FLAG(host.settings.no_cache),
		.commands = BUILDS,
		.doc = "neither read nor fill your own cache"},
	{'v', "verbose", FLAG(host.settings.verbose), .commands = BUILDS,
		.doc = "print the time since the start with each step"},
	{.name = "state-dir",
		STRING(host.state_dir, "DIR"),
		.commands = ALL,
		.doc = "find the VMs in DIR (default: " DEFAULT_STATE_DIR ")"},
	{'q', "quiet", FLAG(host.settings.quiet), .commands = ALL, .doc = "print only errors"},
	{'h', "help", FLAG(help), .commands = ALL, .doc = "print this help"},
	{.name = "version", FLAG(version), .commands = ALL, .doc = "print the version"},
};

static const struct argument_table table = {
	"microvm", rows, countof(rows), commands, countof(commands)};

static void print_actions(void)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (commands[i].doc)
			help_option(stdout, &rows[i], commands[i].doc);
}

static void print_help(size_t verb)
{
	if (verb != ARGUMENT_NO_COMMAND && commands[verb].doc) {
		help_command(stdout, &table, verb);
		return;
	}
	puts("microvm: the VMs of this host\n\nusage: microvm ACTION [OPTIONS]\n\nactions:");
	print_actions();
	puts("\noptions:");
	help_all_options(stdout, &table);
	puts("\nexit status:");
	help_item(stdout, "0", "success");
	help_item(stdout, "1", "the action failed");
	help_item(stdout, "2", "the command line is wrong");
	help_item(stdout, "3", "a description is wrong");
	help_item(stdout, "4", "an input is missing or broken");
	help_item(stdout, "130", "a signal interrupted the program");
}

/* ---- the program ---- */

/* Finds the one action of the command line; ARGUMENT_NO_COMMAND when there is none. */
static bool find_verb(struct command_line *line, const struct arguments *arguments, size_t *verb)
{
	*verb = ARGUMENT_NO_COMMAND;
	for (size_t i = 0; i < arguments->options.n; i++) {
		const struct argument *option = &arguments->options.v[i];
		if (!option->row || option->row->kind != ARGUMENT_COMMAND)
			continue;
		const size_t found = (size_t)(option->row - rows);
		if (*verb != ARGUMENT_NO_COMMAND)
			return diag_error(line->host.diag, STATUS_USAGE, NULL, "usage",
				"%s and %s cannot be given together", commands[*verb].name,
				commands[found].name);
		*verb = found;
		line->request.name = option->value;
	}
	return true;
}

/* Names of actions in other tools, and actions of systemd. */
static const struct {
	const char *word, *meant;
} elsewhere[] = {{"ls", "--list"}, {"ps", "--list"}, {"status", "--list"}, {"rm", "--remove"},
	{"delete", "--remove"}, {"destroy", "--remove"}, {"undefine", "--remove"},
	{"new", "--create"}, {"define", "--create"}, {"add", "--create"}, {"upgrade", "--update"},
	{"console", "--run"}, {"shell", "--ssh"}, {"exec", "--ssh"}, {"login", "--ssh"},
	{"start", "systemctl start microvm@NAME"}, {"up", "systemctl start microvm@NAME"},
	{"stop", "systemctl stop microvm@NAME"}, {"down", "systemctl stop microvm@NAME"},
	{"shutdown", "systemctl stop microvm@NAME"}, {"restart", "systemctl restart microvm@NAME"},
	{"reboot", "systemctl restart microvm@NAME"}, {"enable", "systemctl enable microvm@NAME"},
	{"log", "journalctl -u microvm@NAME"}, {"logs", "journalctl -u microvm@NAME"},
	{"help", "--help"}, {"version", "--version"}};

/* "systemctl start microvm@web1" for "start web1" */
static const char *with_name(struct arena *arena, const char *command, const char *name)
{
	const char *place = strstr(command, "NAME");
	return place && name
		? arena_printf(arena, "%.*s%.80s", (int)(place - command), command, name)
		: command;
}

/* The action that has this name elsewhere; NULL: none. */
static const char *action_elsewhere(struct arena *arena, const char *word, const char *name)
{
	for (size_t i = 0; i < countof(elsewhere); i++)
		if (strcmp(elsewhere[i].word, word) == 0)
			return with_name(arena, elsewhere[i].meant, name);
	return NULL;
}

static const char *similar_action(struct arena *arena, const struct strings *words)
{
	struct strings names = {0};
	const char *word = words->v[0];
	const char *meant = action_elsewhere(arena, word, words->n > 1 ? words->v[1] : NULL);
	if (meant)
		return meant;
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (commands[i].doc)
			vec_push(arena, &names, commands[i].name + strlen("--"));
	const char *near = suggest(word, names.v, names.n);
	return near ? arena_printf(arena, "--%s", near) : NULL;
}

static bool no_action(struct host *host, const struct strings *words)
{
	const char *near = words->n ? similar_action(host->arena, words) : NULL;
	if (near)
		return diag_error(host->diag, STATUS_USAGE, NULL, "usage",
			"there is no action \"%s\"; did you mean \"%s\"?", words->v[0], near);
	if (words->n)
		return diag_error(host->diag, STATUS_USAGE, NULL, "usage",
			"an action is missing before \"%s\"; see microvm --help", words->v[0]);
	return diag_error(host->diag, STATUS_USAGE, NULL, "usage",
		"an action is missing; see microvm --help");
}

/*
 * "--start web1", written like an action, or "--stop web1", which is an option of another action.
 * Asking for help or for the version is neither.
 */
static bool check_actions(struct host *host, size_t verb, const struct arguments *arguments)
{
	const char *name = arguments->words.n ? arguments->words.v[0] : NULL;
	for (size_t i = 0; verb == ARGUMENT_NO_COMMAND && i < arguments->options.n; i++) {
		const struct argument *option = &arguments->options.v[i];
		if (option->row && option->row->commands == ALL)
			continue;
		const char *word =
			option->row ? option->row->name : option->text + strspn(option->text, "-");
		const char *meant = action_elsewhere(host->arena, word, name);
		if (meant)
			return diag_error(host->diag, STATUS_USAGE, NULL, "usage",
				"there is no action \"--%s\"; did you mean \"%s\"?", word, meant);
	}
	return true;
}

static bool run_verb(struct command_line *line, size_t verb, const struct arguments *arguments)
{
	struct host *host = &line->host;
	if (verb == ARGUMENT_NO_COMMAND)
		return no_action(host, &arguments->words);
	if (!arguments_check_words(host->diag, &table, verb, &arguments->words) ||
		!settings_check(host->diag, &host->settings))
		return false;
	line->request.words = arguments->words;
	line->request.has_separator = arguments->has_separator;
	host->state_dir = path_absolute(host->arena, host->state_dir);
	host->gcroots = roots_directory(host->arena, host->diag, verbs[verb].makes_roots);
	return verbs[verb].run(host, &line->request);
}

static bool run(struct command_line *line, int argc, char *argv[])
{
	struct arena *arena = line->host.arena;
	struct diag *diag = line->host.diag;
	struct arguments arguments;
	size_t verb;
	if (!arguments_read(arena, diag, &table, argc, argv, &arguments) ||
		!find_verb(line, &arguments, &verb) ||
		!check_actions(&line->host, verb, &arguments) ||
		!arguments_check(arena, diag, &table, verb, &arguments) ||
		!arguments_store(arena, diag, &table, verb, &arguments, line))
		return false;
	const bool is_unknown = verb == ARGUMENT_NO_COMMAND && arguments.words.n > 0;
	if (line->help && is_unknown)
		return no_action(&line->host, &arguments.words);
	if (line->help)
		print_help(verb);
	else if (line->version)
		puts("microvm " MVM_VERSION);
	return line->help || line->version || run_verb(line, verb, &arguments);
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
			.colours = terminal_has_colours(STDOUT_FILENO)},
	};
	diag_name_program(diag, "microvm");
	bool ok = run(&line, argc, argv);
	const enum output output = output_finish();
	if (output == OUTPUT_FAILED)
		ok = diag_error(
			diag, STATUS_FAILED, NULL, "output", "cannot write to standard output");
	const enum status status =
		ok && diag_error_count(diag) == 0 ? STATUS_OK : diag_failure(diag);
	diag_print(diag, stderr, DIAG_HUMAN, line.host.settings.quiet);
	if (output == OUTPUT_UNREAD && status == STATUS_OK)
		output_end_unread();
	arena_free(arena);
	return (int)status;
}
