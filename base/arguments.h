/* SPDX-License-Identifier: MIT */
/* arguments: a command line, by a table of options that also makes the help. */
#ifndef MVM_BASE_ARGUMENTS_H
#define MVM_BASE_ARGUMENTS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/diag.h"

struct arguments {
	struct arena *arena;
	struct diag *diag;
	void *context; /* the program's own */
	/* an option may set it: from the next word on all is for another program */
	bool words_end_options;
	struct strings words; /* what is no option */
	bool dashed;          /* "--" stood before the rest of the words */
	int argc;             /* while options are taken */
	char *const *argv;
};

struct argument_row {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* what it wants, for help: "PATH"; NULL: nothing */
	const char *doc;
	bool optional; /* the argument */
	bool (*take)(struct arguments *arguments, const char *value);
};

struct argument_table {
	const char *program; /* for messages */
	const struct argument_row *rows;
	size_t count;
};

/* Takes the options, anywhere among the words up to "--". Errors are STATUS_USAGE. */
bool arguments_take(struct arguments *arguments, const struct argument_table *table, int argc,
	char *const argv[]);
/* For an option that wants more than one argument: the next one; NULL: there is none. */
const char *arguments_next(struct arguments *arguments);
/* A line for each option: "  -o, --output PATH   text". */
void arguments_help(const struct argument_table *table, FILE *out);

#endif
