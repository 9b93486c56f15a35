/* SPDX-License-Identifier: MIT */
#include "compiler/command/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arguments.h"
#include "base/file.h"
#include "base/help.h"
#include "base/number.h"
#include "base/suggest.h"
#include "compiler/session/cache_settings.h"

/* ---- commands ---- */

#define ANY ((unsigned)-1)

static const struct argument_command commands[] = {
	[COMMAND_BUILD] = {"build", "VM.yaml...",
		"build the runner directory of a VM; this is the default command", 1, ANY},
	[COMMAND_CHECK] = {"check", "VM.yaml...|HOST.yaml",
		"report at once all mistakes of a description, or of a host file, and of the files "
		"that it names, and build nothing",
		1, ANY},
	[COMMAND_PLAN] = {"plan", "VM.yaml...|HOST.yaml",
		"show what would be built and run, and write nothing", 1, ANY},
	[COMMAND_RUN] = {"run", "VM.yaml...",
		"build, then run the VM in the foreground; its state directory, with volumes and "
		"sockets, is the current directory",
		1, ANY},
	[COMMAND_SIZE] = {"size", "RUNNER|VM.yaml...|HOST",
		"list the space that each root and store path takes, largest first; for a "
		"description, as far as it is known without a build; HOST is a host file or the "
		"output of host",
		1, ANY},
	[COMMAND_WHY] = {"why", "RUNNER|VM.yaml...|HOST PATH",
		"show the references that bring in a store path, and the paths that would go with "
		"it; PATH may be the name of a package",
		2, ANY},
	[COMMAND_DIFF] = {"diff", "RUNNER RUNNER",
		"show the differences between two builds, and whether a running VM needs a "
		"reboot; the status is 1 if they differ",
		2, 2},
	[COMMAND_INIT] = {"init", "[TEMPLATE [DIR]]",
		"write files to start from; TEMPLATE is vm (all options that matter, the default), "
		"hello (a small system) or nixos (a flake)",
		0, 2},
	[COMMAND_HOST] = {"host", "HOST.yaml",
		"build all VMs of a host, their systemd units, and bin/install-host, which "
		"installs them",
		1, 1},
	[COMMAND_LINK] = {"link", "RUNNER...",
		"link the store disks of runners with storeDisk.link: host, unless they are there, "
		"and print their paths; done by microvm-run and the units, too",
		0, ANY},
	[COMMAND_CACHE_PACK] = {"cache pack", "PATH...",
		"compress the closures of store paths into the cache, and build no runner", 1, ANY},
	[COMMAND_CACHE_STATS] = {"cache stats", "",
		"show the size of the cache of compressed store paths", 0, 0},
	[COMMAND_CACHE_GC] = {"cache gc", "", "trim the cache to a size or an age", 0, 0},
	[COMMAND_CACHE_VERIFY] = {"cache verify", "",
		"compare the whole cache with its hashes and remove damaged entries", 0, 0},
	[COMMAND_SCHEMA] = {"schema", "", "print the JSON Schema of descriptions", 0, 0},
	[COMMAND_OPTIONS] = {"options", "[NAME]",
		"print the reference of an option such as volumes.size, or of all options, in "
		"Markdown",
		0, 1},
};

/* ---- options ---- */

#define BIT(command) (1u << COMMAND_##command)
#define BUILDS (BIT(BUILD) | BIT(RUN) | BIT(HOST))
#define PLANS (BUILDS | BIT(PLAN) | BIT(SIZE) | BIT(WHY))
#define DESCRIPTIONS (PLANS | BIT(CHECK))
#define CACHE (BIT(CACHE_STATS) | BIT(CACHE_GC) | BIT(CACHE_VERIFY))
#define PACKS (BUILDS | BIT(CACHE_PACK))
#define READS_CACHE (BUILDS | BIT(SIZE) | BIT(WHY) | BIT(LINK))
#define PRINTS_JSON (BIT(PLAN) | BIT(SIZE) | BIT(WHY) | BIT(DIFF) | CACHE | BIT(CACHE_PACK))
#define ALL ((1u << COMMAND_COUNT) - 1)

#define FLAG(f) ARGUMENT_IS_FLAG(struct cli, f)
#define STRING(f, a) ARGUMENT_IS_STRING(struct cli, f, a)
#define STRINGS(f, a) ARGUMENT_IS_STRINGS(struct cli, f, a)
#define CHOICE(f, T, a, ...) ARGUMENT_IS_CHOICE(struct cli, f, T, a, __VA_ARGS__)

static bool store_jobs(struct arena *arena, struct diag *diag, void *target, const char *value)
{
	(void)arena;
	uint64_t jobs;
	if (!number_parse(value, 0, 256, &jobs))
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"--jobs: expected a number from 1 to 256, or 0 for all CPUs, not \"%s\"",
			value);
	((struct cli *)target)->settings.jobs = (unsigned)jobs;
	((struct cli *)target)->settings.all_cpus = jobs == 0;
	return true;
}

/*
 * Reads a number with an optional letter, which stands for a factor; false if it is something else
 * or too large.
 */
static bool read_quantity(
	const char *value, const char *letters, const uint64_t *factors, uint64_t *out)
{
	char *end;
	errno = 0;
	const unsigned long long number = strtoull(value, &end, 10);
	const char *letter = *end ? strchr(letters, *end) : NULL;
	const uint64_t factor = letter ? factors[letter - letters] : 1;
	*out = number * factor;
	return !errno && *value >= '0' && *value <= '9' && (!*end || (letter && !end[1])) &&
		number <= INT64_MAX / factor;
}

static bool store_max_size(struct arena *arena, struct diag *diag, void *target, const char *value)
{
	static const uint64_t factors[] = {
		UINT64_C(1) << 10, UINT64_C(1) << 20, UINT64_C(1) << 30, UINT64_C(1) << 40};
	(void)arena;
	return read_quantity(value, "KMGT", factors, &((struct cli *)target)->max_bytes) ||
		diag_error(diag, STATUS_USAGE, NULL, "usage",
			"--max-size: expected bytes, or a number with K, M, G or T, not \"%s\"",
			value);
}

static bool store_max_age(struct arena *arena, struct diag *diag, void *target, const char *value)
{
	static const uint64_t factors[] = {24 * 60 * 60, 7 * 24 * 60 * 60};
	uint64_t seconds;
	(void)arena;
	if (!read_quantity(value, "dw", factors, &seconds) || !strpbrk(value, "dw"))
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"--max-age: expected days or weeks, as 30d or 8w, not \"%s\"", value);
	((struct cli *)target)->max_age_seconds = (int64_t)seconds;
	return true;
}

static bool store_gcroot(struct arena *arena, struct diag *diag, void *target, const char *value)
{
	(void)arena;
	(void)diag;
	((struct cli *)target)->settings.gcroot = true;
	((struct cli *)target)->settings.gcroot_dir = value;
	return true;
}

static const struct argument_row rows[] = {
	{'o', "output", STRING(output, "PATH"), .commands = BIT(BUILD) | BIT(RUN),
		.doc = "build the runner at PATH (default: result-HOSTNAME)"},
	{'o', "output", STRING(output, "PATH"), .commands = BIT(HOST),
		.doc = "build the directory at PATH (default: result-host)"},
	{'M', "depfile", STRING(depfile, "FILE"), .commands = BUILDS,
		.doc = "write the inputs of the build to FILE, as a rule for make or ninja; also "
		       "-MD FILE"},
	{.name = "hypervisor",
		STRING(hypervisor, "NAME"),
		.commands = DESCRIPTIONS,
		.doc = "use this hypervisor instead of the description's"},
	{.name = "set",
		STRINGS(sets, "KEY=VALUE"),
		.commands = DESCRIPTIONS,
		.doc = "override an option of the description, such as volumes.0.size=2G; may be "
		       "repeated"},
	{.name = "set",
		STRINGS(sets, "KEY=VALUE"),
		.commands = BIT(CACHE_PACK),
		.doc = "pack for descriptions with this option, such as storeDisk.type=erofs; may "
		       "be repeated"},
	{'j', "jobs", ARGUMENT_IS_CUSTOM(store_jobs, "N"),
		.commands = PLANS | BIT(LINK) | BIT(CACHE_VERIFY) | BIT(CACHE_PACK),
		.doc = "use N threads; 0: one per CPU (default: $NIX_BUILD_CORES, else 0)"},
	{.name = "cache",
		STRING(settings.cache_dir, "DIR"),
		.commands = READS_CACHE | BIT(CACHE_PACK) | CACHE,
		.doc = "keep compressed store paths in DIR (default: ~/.cache/mvmbuild)"},
	{.name = "cache-from",
		STRINGS(settings.cache_from, "DIR"),
		.commands = READS_CACHE | BIT(CACHE_PACK),
		.doc = "also take compressed store paths from the cache DIR, without writing to "
		       "it; may be repeated"},
	{.name = "cache-owner",
		STRINGS(settings.cache_owners, "USER"),
		.commands = READS_CACHE | BIT(CACHE_PACK),
		.doc = "trust files of USER in such a cache, beside root's and your own; may be "
		       "repeated"},
	{.name = "no-cache",
		FLAG(settings.no_cache),
		.commands = READS_CACHE,
		.doc = "neither read nor fill your own cache"},
	{.name = "disks",
		STRING(disks, "DIR"),
		.commands = BIT(LINK),
		.doc = "keep the disks in DIR (default: $MICROVM_DISKS, else "
		       "/var/lib/microvms/.disks for root and ~/.cache/mvmbuild/disks for others)"},
	{.name = "verify",
		FLAG(verify),
		.commands = BIT(LINK),
		.doc = "also compare a disk that is there with the store, and repair it"},
	{.name = "gc",
		FLAG(collect),
		.commands = BIT(LINK),
		.doc = "then remove the disks that no runner needs"},
	{.name = "force",
		FLAG(settings.force),
		.commands = BUILDS,
		.doc = "build even if the output is up to date"},
	{.name = "no-sync",
		FLAG(settings.no_sync),
		.commands = BUILDS,
		.doc = "do not wait until the output is on the disk; it may be incomplete if the "
		       "machine crashes"},
	{.name = "gcroot",
		ARGUMENT_IS_CUSTOM(store_gcroot, "DIR"),
		.optional = true,
		.commands = BUILDS,
		.doc = "protect the store paths that the output uses from Nix's garbage collector, "
		       "with roots in DIR or with indirect roots"},
	{.name = "json", FLAG(json), .commands = PRINTS_JSON, .doc = "print JSON"},
	{.name = "html",
		STRING(html, "FILE"),
		.commands = BIT(SIZE),
		.doc = "write an HTML page with a map of the closure and its tables to FILE "
		       "instead; - is standard output"},
	{.name = "matrix",
		FLAG(matrix),
		.commands = BIT(CHECK),
		.doc = "print which hypervisors can run each VM, and why the others cannot"},
	{.name = "json", FLAG(json), .commands = BIT(CHECK), .doc = "print the matrix as JSON"},
	{.name = "syntax",
		FLAG(syntax),
		.commands = BIT(CHECK),
		.doc = "check only the text, without the files that it names: for a system that "
		       "is not built yet"},
	{.name = "mounts",
		FLAG(mounts),
		.commands = BIT(PLAN),
		.doc = "print only each guest's mounts, as JSON; the description needs no "
		       "toplevel"},
	{.name = "host",
		FLAG(host),
		.commands = BIT(SCHEMA) | BIT(OPTIONS),
		.doc = "print the schema or the options of host files"},
	{.name = "nix",
		FLAG(nix),
		.commands = BIT(OPTIONS),
		.doc = "print the options as a NixOS module that declares them below microvm"},
	{.name = "part",
		FLAG(part),
		.commands = BIT(SCHEMA),
		.doc = "print the schema of a part of a description, in which nothing is "
		       "required"},
	{.name = "max-size",
		ARGUMENT_IS_CUSTOM(store_max_size, "SIZE"),
		.commands = BIT(CACHE_GC),
		.doc = "remove the entries that were unused for longest until at most SIZE (such "
		       "as 10G) is left"},
	{.name = "max-age",
		ARGUMENT_IS_CUSTOM(store_max_age, "AGE"),
		.commands = BIT(CACHE_GC),
		.doc = "remove entries unused for AGE, such as 30d or 8w"},
	{.name = "dry-run",
		FLAG(dry_run),
		.commands = BIT(HOST),
		.doc = "plan all VMs, print which of them would change, and build nothing"},
	{.name = "dry-run",
		FLAG(dry_run),
		.commands = BIT(CACHE_GC) | BIT(CACHE_VERIFY),
		.doc = "report what would be removed, and change nothing"},
	{.name = "progress",
		CHOICE(settings.progress, enum progress_style, "STYLE", "auto", "plain", "json",
			"none"),
		.commands = PACKS,
		.doc = "report progress on standard error: auto, plain, json or none"},
	{'v', "verbose", FLAG(settings.verbose), .commands = BUILDS,
		.doc = "print the time since the start with each step"},
	{.name = "format",
		CHOICE(format, enum diag_format, "FORMAT", "human", "json", "github", "sarif"),
		.commands = ALL,
		.doc = "print messages as human (the default), json, github (workflow commands) or "
		       "sarif"},
	{'q', "quiet", FLAG(settings.quiet), .commands = ALL, .doc = "print only errors"},
	{'h', "help", FLAG(help), .commands = ALL, .doc = "print this help"},
	{.name = "version", FLAG(version), .commands = ALL, .doc = "print the version"},
};

static const struct argument_table table = {
	"mvmbuild", rows, countof(rows), commands, countof(commands)};

/* ---- the command ---- */

/* The number of words that are the command's name; 0: they are not its name. */
static size_t name_length(const char *name, const struct strings *words)
{
	const char *space = strchr(name, ' ');
	const size_t length = space ? (size_t)(space - name) : strlen(name);
	if (words->n == 0 || strncmp(words->v[0], name, length) != 0 || words->v[0][length])
		return 0;
	if (!space)
		return 1;
	return words->n > 1 && strcmp(words->v[1], space + 1) == 0 ? 2 : 0;
}

/* Whether `word` is the first of the two words of a command: "cache". */
static bool is_group(const char *word)
{
	const size_t length = strlen(word);
	for (size_t i = 0; i < countof(commands); i++)
		if (strncmp(commands[i].name, word, length) == 0 && commands[i].name[length] == ' ')
			return true;
	return false;
}

static bool is_path(const char *word)
{
	return strcmp(word, "-") == 0 || strpbrk(word, "./") || path_exists(word);
}

/* A description in place of a command is built. `*named` words are the command's name. */
static size_t find_command(const struct strings *words, size_t *named)
{
	for (size_t i = 0; i < countof(commands); i++)
		if ((*named = name_length(commands[i].name, words)) > 0)
			return i;
	return words->n && !is_group(words->v[0]) && is_path(words->v[0]) ? COMMAND_BUILD
									  : ARGUMENT_NO_COMMAND;
}

/* The command with the most similar name, or with the name `word` in other tools; NULL: none. */
static const char *similar_command(const char *word)
{
	static const struct {
		const char *word, *meant;
	} elsewhere[] = {{"help", "--help"}, {"version", "--version"}, {"start", "run"},
		{"boot", "run"}, {"up", "run"}, {"validate", "check"}, {"lint", "check"},
		{"new", "init"}, {"create", "init"}, {"make", "build"}, {"compile", "build"},
		{"graph", "why"}, {"du", "size"}, {"gc", "cache gc"}, {"clean", "cache gc"},
		{"explain", "options"}, {"cache clean", "cache gc"}, {"cache prune", "cache gc"},
		{"cache trim", "cache gc"}, {"cache list", "cache stats"},
		{"cache info", "cache stats"}, {"cache check", "cache verify"}};
	const char *names[countof(commands)];
	for (size_t i = 0; i < countof(elsewhere); i++)
		if (strcmp(elsewhere[i].word, word) == 0)
			return elsewhere[i].meant;
	for (size_t i = 0; i < countof(commands); i++)
		names[i] = commands[i].name;
	return suggest(word, names, countof(names));
}

static bool no_action(struct arena *arena, struct diag *diag, const struct strings *words)
{
	const char *group = words->v[0];
	if (words->n == 1)
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"%s needs an action; see mvmbuild %s --help", group, group);
	const char *near = similar_command(arena_printf(arena, "%s %s", group, words->v[1]));
	if (near)
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"%s has no action \"%s\"; did you mean \"%s\"?", group, words->v[1], near);
	return diag_error(diag, STATUS_USAGE, NULL, "usage",
		"%s has no action \"%s\"; see mvmbuild %s --help", group, words->v[1], group);
}

static bool no_command(struct arena *arena, struct diag *diag, const struct strings *words)
{
	if (words->n == 0)
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"a command or a description is missing; see mvmbuild --help");
	if (is_group(words->v[0]))
		return no_action(arena, diag, words);
	const char *near = similar_command(words->v[0]);
	if (near)
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"there is no command \"%s\"; did you mean \"%s\"?", words->v[0], near);
	return diag_error(diag, STATUS_USAGE, NULL, "usage",
		"\"%s\" is neither a command nor a file; see mvmbuild --help", words->v[0]);
}

/* ---- help ---- */

static void print_overview(FILE *out)
{
	fputs("mvmbuild: a compiler for microVMs\n\n"
	      "usage: mvmbuild [OPTIONS] VM.yaml...\n"
	      "       mvmbuild COMMAND [OPTIONS] ARGUMENTS\n"
	      "       mvmbuild COMMAND --help\n\n",
		out);
	help_text(out,
		"Several descriptions are merged, from left to right. \"mvmbuild build --help\" "
		"lists the options of a build.");
	fputs("\ncommands:\n", out);
	help_commands(out, &table, NULL);
	fputs("\noptions of all commands:\n", out);
	help_common_options(out, &table);
	fputs("\nexit status:\n", out);
	help_item(out, "0", "success");
	help_item(
		out, "1", "the build failed, diff found differences, or cache verify found damage");
	help_item(out, "2", "the command line is wrong");
	help_item(out, "3", "the description is wrong");
	help_item(out, "4", "an input is missing or broken");
	help_item(out, "130", "a signal interrupted the program");
}

static void print_group(FILE *out, const char *group)
{
	fprintf(out,
		"usage: mvmbuild %s ACTION [OPTIONS] ARGUMENTS\n"
		"       mvmbuild %s ACTION --help\n"
		"\nactions:\n",
		group, group);
	help_commands(out, &table, group);
}

/* Prints the help of `command`, or of a group of commands, or of the whole program. */
static void print_help(FILE *out, size_t command, const struct strings *words)
{
	if (command != ARGUMENT_NO_COMMAND)
		help_command(out, &table, command);
	else if (words->n && is_group(words->v[0]))
		print_group(out, words->v[0]);
	else
		print_overview(out);
}

/* ---- parsing ---- */

/* A value that is ignored in silence makes a build slow, or not reproducible. */
static bool check_environment(struct diag *diag, const struct cli *cli)
{
	const unsigned command = 1u << cli->command;
	const char *cores = getenv("NIX_BUILD_CORES"), *epoch = getenv("SOURCE_DATE_EPOCH");
	uint64_t number;
	const bool uses_cores = command & (PLANS | BIT(CACHE_VERIFY)) && !cli->settings.jobs &&
		!cli->settings.all_cpus;
	if (uses_cores && cores && *cores && !number_parse(cores, 0, UINT32_MAX, &number))
		diag_warning(diag, NULL, "bad-environment",
			"NIX_BUILD_CORES: expected a number of threads, not \"%.80s\"; using one "
			"per "
			"CPU",
			cores);
	return !(command & (PLANS | BIT(CHECK))) || !epoch || !*epoch ||
		number_parse(epoch, 0, UINT32_MAX, &number) ||
		diag_error(diag, STATUS_USAGE, NULL, "bad-environment",
			"SOURCE_DATE_EPOCH: expected seconds since 1970, from 0 to %lu, not "
			"\"%.80s\"",
			(unsigned long)UINT32_MAX, epoch);
}

static bool check_combination(struct diag *diag, const struct cli *cli)
{
	if (cli->command == COMMAND_CACHE_GC && cli->max_bytes == UINT64_MAX &&
		cli->max_age_seconds < 0)
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"cache gc needs a limit: --max-size SIZE or --max-age AGE");
	if (cli->command == COMMAND_CHECK && cli->json && !cli->matrix)
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"check --json prints the matrix and needs --matrix; use --format json for "
			"messages as JSON");
	if (cli->dry_run && cli->depfile)
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"--dry-run builds nothing, so it writes no --depfile; remove one of them");
	if (cli->command == COMMAND_LINK && cli->words.n == 0 && !cli->collect)
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"link needs at least one runner, or --gc");
	if (cli->json && cli->html)
		return diag_error(
			diag, STATUS_USAGE, NULL, "usage", "--json and --html exclude each other");
	return settings_check(diag, &cli->settings) && check_environment(diag, cli);
}

/* An empty word is usually an unset variable of a script. */
static bool check_words(struct diag *diag, const struct cli *cli)
{
	for (size_t i = 0; i < cli->words.n; i++)
		if (!*cli->words.v[i])
			return diag_error(diag, STATUS_USAGE, NULL, "usage",
				"argument %zu of %s is empty", i + 1, commands[cli->command].name);
	return true;
}

/* The words behind the command's name. */
static bool take_words(
	struct diag *diag, const struct strings *words, size_t named, struct cli *cli)
{
	const size_t left = words->n - named;
	cli->words = (struct strings){words->v + named, left, left};
	return arguments_check_words(diag, &table, cli->command, &cli->words) &&
		check_words(diag, cli) && check_combination(diag, cli);
}

/*
 * Standard error is one stream, so messages and progress are JSON together. SARIF is one document
 * and leaves no room for progress.
 */
static void unite_streams(struct cli *cli, size_t command)
{
	enum progress_style *progress = &cli->settings.progress;
	const bool builds = command != ARGUMENT_NO_COMMAND && (1u << command & PACKS);
	if (!builds)
		*progress = PROGRESS_NONE;
	else if (*progress == PROGRESS_JSON && cli->format == DIAG_HUMAN)
		cli->format = DIAG_JSON;
	else if (*progress == PROGRESS_AUTO && cli->format == DIAG_JSON && !cli->settings.quiet)
		*progress = PROGRESS_JSON;
	else if (cli->format == DIAG_SARIF)
		*progress = PROGRESS_NONE;
}

bool cli_parse(struct arena *arena, struct diag *diag, int argc, char *const argv[], FILE *out,
	struct cli *cli)
{
	struct arguments arguments;
	size_t named;
	*cli = (struct cli){.max_bytes = UINT64_MAX, .max_age_seconds = -1};
	if (!arguments_read(arena, diag, &table, argc, argv, &arguments))
		return false;
	const size_t command = find_command(&arguments.words, &named);
	/* Store values first, because --format decides how a wrong option is reported. */
	const bool stored = arguments_store(arena, diag, &table, command, &arguments, cli);
	unite_streams(cli, command);
	if (!arguments_check(arena, diag, &table, command, &arguments) || !stored)
		return false;
	const bool is_unknown = command == ARGUMENT_NO_COMMAND && arguments.words.n > 0 &&
		(!is_group(arguments.words.v[0]) || arguments.words.n > 1);
	if (cli->help && is_unknown)
		return no_command(arena, diag, &arguments.words);
	if (cli->help)
		print_help(out, command, &arguments.words);
	else if (cli->version)
		fputs("mvmbuild " MVM_VERSION "\n", out);
	if (cli->help || cli->version)
		return true;
	if (command == ARGUMENT_NO_COMMAND)
		return no_command(arena, diag, &arguments.words);
	cli->command = (enum subcommand)command;
	return take_words(diag, &arguments.words, named, cli);
}
