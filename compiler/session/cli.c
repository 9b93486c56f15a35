/* SPDX-License-Identifier: MIT */
#include "compiler/session/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arguments.h"

static struct cli *cli_of(const struct arguments *arguments)
{
	return arguments->context;
}

static bool take_output(struct arguments *arguments, const char *value)
{
	cli_of(arguments)->output = value;
	return *value ||
		diag_error(arguments->diag, STATUS_USAGE, NULL, "usage", "--output wants a path");
}

/* -MD FILE, as compilers have it: the D is taken for the argument. */
static bool take_depfile(struct arguments *arguments, const char *value)
{
	const char *next = strcmp(value, "D") == 0 ? arguments_next(arguments) : NULL;
	cli_of(arguments)->depfile = next ? next : value;
	return *value ||
		diag_error(arguments->diag, STATUS_USAGE, NULL, "usage", "-MD wants a path");
}

static bool take_hypervisor(struct arguments *arguments, const char *value)
{
	cli_of(arguments)->hypervisor = value;
	return true;
}

static bool take_set(struct arguments *arguments, const char *value)
{
	vec_push(arguments->arena, &cli_of(arguments)->sets, value);
	return true;
}

static bool take_jobs(struct arguments *arguments, const char *value)
{
	char *end;
	errno = 0;
	unsigned long jobs = strtoul(value, &end, 10);
	if (errno || *end || !*value || jobs < 1 || jobs > 256)
		return diag_error(arguments->diag, STATUS_USAGE, NULL, "usage",
			"--jobs: expected a number from 1 to 256, not \"%s\"", value);
	cli_of(arguments)->jobs = (unsigned)jobs;
	return true;
}

static bool take_cache(struct arguments *arguments, const char *value)
{
	cli_of(arguments)->cache_dir = value;
	return *value ||
		diag_error(
			arguments->diag, STATUS_USAGE, NULL, "usage", "--cache wants a directory");
}

static bool take_cache_from(struct arguments *arguments, const char *value)
{
	vec_push(arguments->arena, &cli_of(arguments)->cache_from, value);
	return *value ||
		diag_error(arguments->diag, STATUS_USAGE, NULL, "usage",
			"--cache-from wants a directory");
}

static bool take_cache_owner(struct arguments *arguments, const char *value)
{
	vec_push(arguments->arena, &cli_of(arguments)->cache_owners, value);
	return *value ||
		diag_error(
			arguments->diag, STATUS_USAGE, NULL, "usage", "--cache-owner wants a user");
}

static bool take_no_cache(struct arguments *arguments, const char *value)
{
	(void)value;
	return cli_of(arguments)->no_cache = true;
}

static bool take_no_sync(struct arguments *arguments, const char *value)
{
	(void)value;
	return cli_of(arguments)->no_sync = true;
}

static bool take_force(struct arguments *arguments, const char *value)
{
	(void)value;
	return cli_of(arguments)->force = true;
}

/*
 * A number and one of the letters, which stand for the factors; false when it is something else or
 * does not fit.
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

static bool take_max_size(struct arguments *arguments, const char *value)
{
	static const uint64_t factors[] = {
		UINT64_C(1) << 10, UINT64_C(1) << 20, UINT64_C(1) << 30, UINT64_C(1) << 40};
	return read_quantity(value, "KMGT", factors, &cli_of(arguments)->max_bytes) ||
		diag_error(arguments->diag, STATUS_USAGE, NULL, "usage",
			"--max-size: expected bytes, or a number with K, M, G or T, not \"%s\"",
			value);
}

static bool take_max_age(struct arguments *arguments, const char *value)
{
	static const uint64_t factors[] = {24 * 60 * 60, 7 * 24 * 60 * 60};
	uint64_t seconds;
	if (!read_quantity(value, "dw", factors, &seconds) || !strpbrk(value, "dw"))
		return diag_error(arguments->diag, STATUS_USAGE, NULL, "usage",
			"--max-age: expected days or weeks, as 30d or 8w, not \"%s\"", value);
	cli_of(arguments)->max_age_seconds = (int64_t)seconds;
	return true;
}

static bool take_dry_run(struct arguments *arguments, const char *value)
{
	(void)value;
	return cli_of(arguments)->dry_run = true;
}

static bool take_gcroot(struct arguments *arguments, const char *value)
{
	cli_of(arguments)->gcroot = true;
	cli_of(arguments)->gcroot_dir = value;
	return true;
}

static bool take_progress(struct arguments *arguments, const char *value)
{
	static const char *const styles[] = {[PROGRESS_AUTO] = "auto",
		[PROGRESS_PLAIN] = "plain",
		[PROGRESS_JSON] = "json",
		[PROGRESS_NONE] = "none"};
	for (size_t i = 0; i < countof(styles); i++)
		if (strcmp(value, styles[i]) == 0) {
			cli_of(arguments)->progress = (enum progress_style)i;
			return true;
		}
	return diag_error(arguments->diag, STATUS_USAGE, NULL, "usage",
		"--progress: expected auto, plain, json or none, not \"%s\"", value);
}

static bool take_format(struct arguments *arguments, const char *value)
{
	cli_of(arguments)->format = strcmp(value, "json") == 0 ? DIAG_JSON : DIAG_HUMAN;
	return cli_of(arguments)->format == DIAG_JSON || strcmp(value, "human") == 0 ||
		diag_error(arguments->diag, STATUS_USAGE, NULL, "usage",
			"--format: expected human or json, not \"%s\"", value);
}

static bool take_json(struct arguments *arguments, const char *value)
{
	(void)value;
	return cli_of(arguments)->json = true;
}

static bool take_html(struct arguments *arguments, const char *value)
{
	cli_of(arguments)->html = value;
	return *value ||
		diag_error(arguments->diag, STATUS_USAGE, NULL, "usage", "--html wants a path");
}

static bool take_matrix(struct arguments *arguments, const char *value)
{
	(void)value;
	return cli_of(arguments)->matrix = true;
}

static bool take_mounts(struct arguments *arguments, const char *value)
{
	(void)value;
	return cli_of(arguments)->mounts = true;
}

static bool take_host(struct arguments *arguments, const char *value)
{
	(void)value;
	return cli_of(arguments)->host = true;
}

static bool take_verbose(struct arguments *arguments, const char *value)
{
	(void)value;
	return cli_of(arguments)->verbose = true;
}

static bool take_quiet(struct arguments *arguments, const char *value)
{
	(void)value;
	return cli_of(arguments)->quiet = true;
}

static bool take_help(struct arguments *arguments, const char *value)
{
	(void)value;
	return cli_of(arguments)->help = true;
}

static bool take_version(struct arguments *arguments, const char *value)
{
	(void)value;
	return cli_of(arguments)->version = true;
}

static const struct argument_row rows[] = {
	{'o', "output", "PATH", "the runner to make (default: result-HOSTNAME)", false,
		take_output},
	{'M', "depfile", "FILE",
		"(also -MD FILE) write what the build read, as a rule for make or ninja", false,
		take_depfile},
	{0, "hypervisor", "NAME", "instead of the description's", false, take_hypervisor},
	{0, "set", "KEY=VALUE", "lays KEY=VALUE over the description: --set volumes.0.size=2G",
		false, take_set},
	{'j', "jobs", "N", "threads (default: $NIX_BUILD_CORES, then all CPUs)", false, take_jobs},
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
	{0, "force", NULL, "build also when the output is there and up to date", false, take_force},
	{0, "no-sync", NULL,
		"do not wait until the output is on the disk: after a crash of the machine it may "
		"have holes",
		false, take_no_sync},
	{0, "max-size", "SIZE",
		"cache gc: down to so many bytes, as 10G, what was not used for the longest goes "
		"first",
		false, take_max_size},
	{0, "max-age", "AGE", "cache gc: nothing that was not used for so long, as 30d or 8w",
		false, take_max_age},
	{0, "dry-run", NULL, "cache gc, cache verify: tell, change nothing", false, take_dry_run},
	{0, "gcroot", "DIR",
		"protect the store paths that the runner uses from Nix's garbage collector", true,
		take_gcroot},
	{0, "json", NULL, "plan, check --matrix, size, why, diff, cache: as JSON", false,
		take_json},
	{0, "html", "FILE",
		"size: a page with a map of the closure and its tables, instead of the text; - is "
		"standard output",
		false, take_html},
	{0, "matrix", NULL, "check: which hypervisors can run it, and why not", false, take_matrix},
	{0, "mounts", NULL,
		"plan: what the guest mounts alone, as JSON; the description may lack its toplevel",
		false, take_mounts},
	{0, "host", NULL, "schema, options: of host files", false, take_host},
	{0, "progress", "STYLE", "auto, plain, json or none, on standard error", false,
		take_progress},
	{0, "format", "FORMAT", "of messages: human or json", false, take_format},
	{'v', "verbose", NULL, "each step with the time since the start", false, take_verbose},
	{'q', "quiet", NULL, "errors only", false, take_quiet},
	{'h', "help", NULL, "this text", false, take_help},
	{0, "version", NULL, "the version", false, take_version},
};

static const struct argument_table table = {"mvmbuild", rows, countof(rows)};

static const struct command_row *command_find(const struct command_row *commands, const char *name)
{
	for (const struct command_row *row = commands; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

bool cli_parse(struct arena *arena, struct diag *diag, const struct command_row *commands, int argc,
	char *const argv[], struct cli *cli)
{
	struct arguments arguments = {.arena = arena, .diag = diag, .context = cli};
	*cli = (struct cli){.max_bytes = UINT64_MAX, .max_age_seconds = -1};
	if (!arguments_take(&arguments, &table, argc, argv))
		return false;
	if (cli->help || cli->version)
		return true;
	cli->arguments = arguments.words;
	if (cli->arguments.n == 0)
		return diag_error(
			diag, STATUS_USAGE, NULL, "usage", "no description; see mvmbuild --help");
	cli->command = command_find(commands, cli->arguments.v[0]);
	if (!cli->command) {
		cli->command = commands; /* `mvmbuild VM.yaml` builds */
		return true;
	}
	size_t left = arguments.words.n - 1;
	cli->arguments = (struct strings){arguments.words.v + 1, left, left};
	return true;
}

unsigned cli_jobs(const struct cli *cli)
{
	if (cli->jobs)
		return cli->jobs;
	const char *cores = getenv("NIX_BUILD_CORES");
	long n = cores ? strtol(cores, NULL, 10) : 0; /* 0: all */
	if (n < 1)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > 256 ? 256 : (unsigned)n;
}

void cli_help(const struct command_row *commands, FILE *out)
{
	fputs("mvmbuild: a compiler for microVMs\n\n"
	      "usage: mvmbuild [OPTIONS] VM.yaml...            build (several descriptions are "
	      "merged, left to right)\n"
	      "       mvmbuild COMMAND [OPTIONS] ARGUMENTS\n\ncommands:\n",
		out);
	for (const struct command_row *row = commands; row->name; row++)
		fprintf(out, "  %-8s %-23s %s\n", row->name, row->arguments, row->doc);
	fputs("\noptions:\n", out);
	arguments_help(&table, out);
	fputs("\nexit status: 0 ok, 1 the build failed, diff found differences or cache verify "
	      "damage, 2 usage, 3 the description is wrong, 4 an input is missing or broken, 130 "
	      "interrupted\n",
		out);
}
