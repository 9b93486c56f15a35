/* SPDX-License-Identifier: MIT */
/* cli: the command line. One table of options and one of commands drive parsing and help. */
#ifndef MVM_COMPILER_SESSION_CLI_H
#define MVM_COMPILER_SESSION_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"

enum progress_style { PROGRESS_AUTO, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_NONE };

struct cli {
	const struct command_row *command;
	struct strings arguments; /* behind the command */
	struct strings sets;      /* "a.b=c" */
	const char *depfile;      /* NULL: none */
	const char *output;       /* NULL: result-HOSTNAME */
	const char *hypervisor;   /* NULL: as described */
	const char *cache_dir;    /* NULL: the user's own */
	/* further caches, and whose files in them are believed: names or numbers */
	struct strings cache_from, cache_owners;
	bool no_cache, no_sync, force;
	uint64_t max_bytes;      /* of the cache; UINT64_MAX: any */
	int64_t max_age_seconds; /* since the last use; -1: any */
	unsigned jobs;           /* 0: NIX_BUILD_CORES, then all */
	bool gcroot;
	const char *gcroot_dir; /* NULL: indirect roots */
	const char *html;       /* NULL: no page */
	enum progress_style progress;
	enum diag_format format;
	bool dry_run, json, matrix, mounts, host, quiet, verbose, help, version;
};

struct session;

struct command_row {
	const char *name;
	const char *arguments; /* for help: "VM.yaml..." */
	const char *doc;
	bool (*run)(struct session *session);
};
/*
 * Fills `cli`. `commands` ends with a row without a name; its first row runs when no command was
 * named. Errors are STATUS_USAGE.
 */
bool cli_parse(struct arena *arena, struct diag *diag, const struct command_row *commands, int argc,
	char *const argv[], struct cli *cli);
/* How many threads: --jobs, else NIX_BUILD_CORES, else all CPUs. */
unsigned cli_jobs(const struct cli *cli);
void cli_help(const struct command_row *commands, FILE *out);

#endif
