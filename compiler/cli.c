/* SPDX-License-Identifier: MIT */
#include "compiler/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

struct parser {
	struct arena *arena;
	struct diag *diag;
	struct cli *cli;
	int argc;
	char *const *argv;
};

struct option_row {
	char letter; /* 0: none */
	const char *name, *argument, *doc;
	bool optional; /* the argument */
	bool (*take)(struct parser *parser, const char *value);
};

static bool take_output(struct parser *parser, const char *value)
{
	parser->cli->output = value;
	return *value || diag_error(parser->diag, STATUS_USAGE, NULL, "usage", "--output wants a path");
}

/* -MD FILE, as compilers have it: getopt takes the D for the argument. */
static bool take_depfile(struct parser *parser, const char *value)
{
	if (strcmp(value, "D") == 0 && optind < parser->argc)
		value = parser->argv[optind++];
	parser->cli->depfile = value;
	return *value || diag_error(parser->diag, STATUS_USAGE, NULL, "usage", "-MD wants a path");
}

static bool take_hypervisor(struct parser *parser, const char *value)
{
	parser->cli->hypervisor = value;
	return true;
}

static bool take_set(struct parser *parser, const char *value)
{
	vec_push(parser->arena, &parser->cli->sets, value);
	return true;
}

static bool take_jobs(struct parser *parser, const char *value)
{
	char *end;
	errno = 0;
	unsigned long jobs = strtoul(value, &end, 10);
	if (errno || *end || !*value || jobs < 1 || jobs > 256)
		return diag_error(parser->diag, STATUS_USAGE, NULL, "usage", "--jobs: expected a number from 1 to 256, not \"%s\"", value);
	parser->cli->jobs = (unsigned)jobs;
	return true;
}

static bool take_cache(struct parser *parser, const char *value)
{
	parser->cli->cache_dir = value;
	return *value || diag_error(parser->diag, STATUS_USAGE, NULL, "usage", "--cache wants a directory");
}

static bool take_no_cache(struct parser *parser, const char *value)
{
	(void)value;
	return parser->cli->no_cache = true;
}

static bool take_gcroot(struct parser *parser, const char *value)
{
	parser->cli->gcroot = true;
	parser->cli->gcroot_dir = value;
	return true;
}

static bool take_progress(struct parser *parser, const char *value)
{
	static const char *const styles[] = {
		[PROGRESS_AUTO] = "auto", [PROGRESS_PLAIN] = "plain", [PROGRESS_JSON] = "json", [PROGRESS_NONE] = "none"};
	for (size_t i = 0; i < countof(styles); i++)
		if (strcmp(value, styles[i]) == 0) {
			parser->cli->progress = (enum progress_style)i;
			return true;
		}
	return diag_error(parser->diag, STATUS_USAGE, NULL, "usage", "--progress: expected auto, plain, json or none, not \"%s\"", value);
}

static bool take_format(struct parser *parser, const char *value)
{
	parser->cli->format = strcmp(value, "json") == 0 ? DIAG_JSON : DIAG_HUMAN;
	return parser->cli->format == DIAG_JSON || strcmp(value, "human") == 0 ||
	       diag_error(parser->diag, STATUS_USAGE, NULL, "usage", "--format: expected human or json, not \"%s\"", value);
}

static bool take_json(struct parser *parser, const char *value)
{
	(void)value;
	return parser->cli->json = true;
}

static bool take_matrix(struct parser *parser, const char *value)
{
	(void)value;
	return parser->cli->matrix = true;
}

static bool take_mounts(struct parser *parser, const char *value)
{
	(void)value;
	return parser->cli->mounts = true;
}

static bool take_verbose(struct parser *parser, const char *value)
{
	(void)value;
	return parser->cli->verbose = true;
}

static bool take_quiet(struct parser *parser, const char *value)
{
	(void)value;
	return parser->cli->quiet = true;
}

static bool take_help(struct parser *parser, const char *value)
{
	(void)value;
	return parser->cli->help = true;
}

static bool take_version(struct parser *parser, const char *value)
{
	(void)value;
	return parser->cli->version = true;
}

static const struct option_row rows[] = {
	{'o', "output", "PATH", "the runner to make (default: result-HOSTNAME)", false, take_output},
	{'M', "depfile", "FILE", "(also -MD FILE) write what the build read, as a rule for make or ninja", false, take_depfile},
	{0, "hypervisor", "NAME", "instead of the description's", false, take_hypervisor},
	{0, "set", "KEY=VALUE", "lays KEY=VALUE over the description: --set volumes.0.size=2G", false, take_set},
	{'j', "jobs", "N", "threads (default: $NIX_BUILD_CORES, then all CPUs)", false, take_jobs},
	{0, "cache", "DIR", "where compressed store paths are kept (default: ~/.cache/mvmbuild)", false, take_cache},
	{0, "no-cache", NULL, "neither use nor fill the cache", false, take_no_cache},
	{0, "gcroot", "DIR", "protect the store paths that the runner uses from Nix's garbage collector", true, take_gcroot},
	{0, "json", NULL, "plan, check --matrix: as JSON", false, take_json},
	{0, "matrix", NULL, "check: which hypervisors can run it, and why not", false, take_matrix},
	{0, "mounts", NULL, "plan: what the guest mounts alone, as JSON; the description may lack its toplevel", false, take_mounts},
	{0, "progress", "STYLE", "auto, plain, json or none, on standard error", false, take_progress},
	{0, "format", "FORMAT", "of messages: human or json", false, take_format},
	{'v', "verbose", NULL, "each step with the time since the start", false, take_verbose},
	{'q', "quiet", NULL, "errors only", false, take_quiet},
	{'h', "help", NULL, "this text", false, take_help},
	{0, "version", NULL, "the version", false, take_version},
};

/* Values of getopt_long for long options: behind every letter. */
enum { FIRST_ROW = 256 };

static void getopt_tables(char *letters, struct option *names)
{
	*letters++ = ':'; /* tell a missing argument from an unknown option */
	for (size_t i = 0; i < countof(rows); i++) {
		names[i] = (struct option){rows[i].name, !rows[i].argument ? no_argument : rows[i].optional ? optional_argument : required_argument, NULL,
					   FIRST_ROW + (int)i};
		if (rows[i].letter) {
			*letters++ = rows[i].letter;
			if (rows[i].argument)
				*letters++ = ':';
		}
	}
	*letters = '\0';
}

static const struct option_row *row_of(int found)
{
	if (found >= FIRST_ROW)
		return &rows[found - FIRST_ROW];
	for (size_t i = 0; i < countof(rows); i++)
		if (rows[i].letter == found)
			return &rows[i];
	return NULL;
}

static bool parse_options(struct parser *parser, int argc, char *const argv[])
{
	char letters[2 * countof(rows) + 2];
	struct option names[countof(rows) + 1] = {{0}};
	getopt_tables(letters, names);
	opterr = 0;
	optind = 1;
	for (int found; (found = getopt_long(argc, argv, letters, names, NULL)) != -1;) {
		if (found == ':')
			return diag_error(parser->diag, STATUS_USAGE, NULL, "usage", "%s wants an argument", argv[optind - 1]);
		const struct option_row *row = found == '?' ? NULL : row_of(found);
		if (!row)
			return diag_error(parser->diag, STATUS_USAGE, NULL, "usage", "unknown option %s; see mvmbuild --help", argv[optind - 1]);
		if (!row->take(parser, optarg))
			return false;
	}
	return true;
}

static const struct command_row *command_find(const char *name)
{
	for (const struct command_row *row = commands; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

bool cli_parse(struct arena *arena, struct diag *diag, int argc, char *const argv[], struct cli *cli)
{
	struct parser parser = {arena, diag, cli, argc, argv};
	*cli = (struct cli){0};
	if (!parse_options(&parser, argc, argv))
		return false;
	if (cli->help || cli->version)
		return true;
	if (optind == argc)
		return diag_error(diag, STATUS_USAGE, NULL, "usage", "no description; see mvmbuild --help");
	cli->command = command_find(argv[optind]);
	if (cli->command)
		optind++;
	else
		cli->command = commands; /* `mvmbuild VM.yaml` builds */
	for (; optind < argc; optind++)
		vec_push(arena, &cli->arguments, argv[optind]);
	return true;
}

void cli_help(FILE *out)
{
	fputs("mvmbuild: a compiler for microVMs\n\n"
	      "usage: mvmbuild [OPTIONS] VM.yaml...            build (several descriptions are merged, left to right)\n"
	      "       mvmbuild COMMAND [OPTIONS] ARGUMENTS\n\ncommands:\n",
	      out);
	for (const struct command_row *row = commands; row->name; row++)
		fprintf(out, "  %-8s %-14s %s\n", row->name, row->arguments, row->doc);
	fputs("\noptions:\n", out);
	for (size_t i = 0; i < countof(rows); i++) {
		char text[64];
		snprintf(text, sizeof text, "%c%c%s --%s%s%s%s", rows[i].letter ? '-' : ' ', rows[i].letter ? rows[i].letter : ' ', rows[i].letter ? "," : " ",
			 rows[i].name, rows[i].optional ? "[=" : rows[i].argument ? " " : "", rows[i].argument ? rows[i].argument : "", rows[i].optional ? "]" : "");
		fprintf(out, "  %-26s %s\n", text, rows[i].doc);
	}
	fputs("\nexit status: 0 ok, 1 the build failed, 2 usage, 3 the description is wrong, 4 an input is missing or broken, 130 interrupted\n", out);
}
