/* SPDX-License-Identifier: MIT */
/* cli: the command line of mvmbuild: its commands, and the options that each of them has. */
#ifndef MVM_COMPILER_COMMAND_CLI_H
#define MVM_COMPILER_COMMAND_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/diag.h"
#include "compiler/session/settings.h"

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
	COMMAND_LINK,
	COMMAND_CACHE_PACK,
	COMMAND_CACHE_STATS,
	COMMAND_CACHE_GC,
	COMMAND_CACHE_VERIFY,
	COMMAND_SCHEMA,
	COMMAND_OPTIONS,
	COMMAND_COUNT
};

struct cli {
	enum subcommand command;
	struct strings words;   /* behind the command */
	struct strings sets;    /* "a.0.b=c" */
	const char *hypervisor; /* NULL: as described */
	struct build_settings settings;
	const char *output;         /* NULL: the default */
	const char *depfile, *html; /* NULL: none */
	const char *disks;          /* NULL: the default */
	uint64_t max_bytes;         /* of the cache; UINT64_MAX: any */
	int64_t max_age_seconds;    /* since the last use; -1: any */
	enum diag_format format;
	bool collect, verify; /* of link */
	bool dry_run, json, matrix, mounts, host, part, nix, syntax;
	bool help, version; /* printed; no command is to run */
};

/*
 * Fills `cli`. When help or the version was asked for, it is printed, and no command is to run.
 * Errors are STATUS_USAGE.
 */
bool cli_parse(struct arena *arena, struct diag *diag, int argc, char *const argv[], FILE *out,
	struct cli *cli);

#endif
