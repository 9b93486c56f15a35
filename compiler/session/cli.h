/* SPDX-License-Identifier: MIT */
/* cli: the command line of mvmbuild: its commands, and the options that each of them has. */
#ifndef MVM_COMPILER_SESSION_CLI_H
#define MVM_COMPILER_SESSION_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/diag.h"

enum progress_style { PROGRESS_AUTO, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_NONE };

enum subcommand {
	COMMAND_BUILD, /* also without a command's name */
	COMMAND_CHECK,
	COMMAND_PLAN,
	COMMAND_RUN,
	COMMAND_SIZE,
	COMMAND_WHY,
	COMMAND_DIFF,
	COMMAND_INIT,
	COMMAND_HOST,
	COMMAND_CACHE_STATS,
	COMMAND_CACHE_GC,
	COMMAND_CACHE_VERIFY,
	COMMAND_SCHEMA,
	COMMAND_OPTIONS,
	COMMAND_COUNT
};

struct cli {
	enum subcommand command;
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
	bool dry_run, json, matrix, mounts, host, quiet, verbose;
	bool help, version; /* the command, if any, is not to run */
};

/*
 * Fills `cli`. When help or the version was asked for, it is printed, and no command is to run.
 * Errors are STATUS_USAGE.
 */
bool cli_parse(struct arena *arena, struct diag *diag, int argc, char *const argv[], FILE *out,
	struct cli *cli);
/* How many threads: --jobs, else NIX_BUILD_CORES, else all CPUs. */
unsigned cli_jobs(const struct cli *cli);

#endif
