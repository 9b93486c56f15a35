/* SPDX-License-Identifier: MIT */
/* arguments: parses a command line by a table of options, which also prints the help. */
#ifndef MVM_BASE_ARGUMENTS_H
#define MVM_BASE_ARGUMENTS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/diag.h"

struct arguments {
	struct arena *arena;
	struct diag *diag;
	void *context; /* belongs to the program */
	/* an option may set it: everything after the next word belongs to another program */
	bool words_end_options;
	struct strings words; /* arguments that are not options */
	bool dashed;          /* "--" preceded the remaining words */
	int argc;             /* valid while options are parsed */
	char *const *argv;
};

struct argument_row {
	char letter; /* 0 without a short form */
	const char *name;
	const char *argument; /* placeholder for help, such as "PATH"; NULL for a flag */
	const char *doc;
	bool optional; /* the argument may be left out */
	bool (*take)(struct arguments *arguments, const char *value);
};

struct argument_table {
	const char *program; /* for messages */
	const struct argument_row *rows;
	size_t count;
};

/*
 * Parses the options, which may stand anywhere among the words up to "--". Errors are STATUS_USAGE.
 */
bool arguments_take(struct arguments *arguments, const struct argument_table *table, int argc,
	char *const argv[]);
/* Returns the next argument, for an option that needs more than one; NULL at the end. */
const char *arguments_next(struct arguments *arguments);
/* Prints a line for each option: "  -o, --output PATH   text". */
void arguments_help(const struct argument_table *table, FILE *out);

#endif
