/* SPDX-License-Identifier: MIT */
/*
 * arguments: a command line, read by a table of options. Each command of a program knows some of
 * the options and refuses the others. The help is printed from the same table.
 */
#ifndef MVM_BASE_ARGUMENTS_H
#define MVM_BASE_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/diag.h"

enum argument_kind {
	ARGUMENT_FLAG,    /* bool: true when it was given */
	ARGUMENT_STRING,  /* const char *, never empty */
	ARGUMENT_STRINGS, /* struct strings: the option may be given again */
	ARGUMENT_CHOICE,  /* an enum: the number of the choice */
	ARGUMENT_TAKEN,   /* `take` stores it */
	ARGUMENT_COMMAND, /* chooses the command; nothing is stored */
};

/* The program's own struct is `target`. */
struct argument_row {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* the value's name in the help: "PATH"; NULL: no value */
	const char *doc;      /* NULL: the help does not show the option */
	unsigned commands;    /* the commands that know it: a bit for each */
	bool optional;        /* the value may be left out: --gcroot, --gcroot=DIR */
	bool program_follows; /* from the next word on, everything is for another program */
	enum argument_kind kind;
	size_t offset;              /* in `target` */
	const char *const *choices; /* ends with NULL */
	/* `value` is NULL when an optional one was left out */
	bool (*take)(struct arena *arena, struct diag *diag, void *target, const char *value);
};

/* The offset of a field, refused by the compiler unless the field has type T. */
#define ARGUMENT_OFFSET(S, f, T) \
	(offsetof(S, f) + 0 * sizeof(char[_Generic(((S *)0)->f, T : 1, default : -1)]))

#define ARGUMENT_IS_FLAG(S, f) .kind = ARGUMENT_FLAG, .offset = ARGUMENT_OFFSET(S, f, bool)
#define ARGUMENT_IS_STRING(S, f, a) \
	.argument = (a), .kind = ARGUMENT_STRING, .offset = ARGUMENT_OFFSET(S, f, const char *)
#define ARGUMENT_IS_STRINGS(S, f, a) \
	.argument = (a), .kind = ARGUMENT_STRINGS, .offset = ARGUMENT_OFFSET(S, f, struct strings)
#define ARGUMENT_IS_CHOICE(S, f, T, a, ...) \
	.argument = (a), .kind = ARGUMENT_CHOICE, .offset = ARGUMENT_OFFSET(S, f, T), \
	.choices = (const char *const[]) \
	{ \
		__VA_ARGS__, NULL \
	}
#define ARGUMENT_IS_TAKEN(function, a) .argument = (a), .kind = ARGUMENT_TAKEN, .take = (function)

/* A command whose number is the place of its row. */
struct argument_command {
	const char *name;  /* as a user writes it: "build", "cache gc", "--list" */
	const char *words; /* for help and messages: "VM.yaml..."; "": it takes none */
	const char *doc;
	unsigned least, most; /* how many words it takes */
};

struct argument_table {
	const char *program; /* for messages */
	const struct argument_row *rows;
	size_t count;
	const struct argument_command *commands;
	size_t ncommands;
};

/* For `command`, where none was found. */
#define ARGUMENT_NO_COMMAND ((size_t)-1)

/* An option as it was found. */
struct argument {
	const struct argument_row *row; /* the first of its name; NULL: no row has the name */
	const char *text;               /* as it was written, for messages; NULL when row is set */
	const char *value;
};

struct arguments {
	VEC(struct argument) options;
	struct strings words; /* everything that is not an option */
	bool dashed;          /* "--" stood before the rest of the words */
};

/*
 * Splits the command line into options, which may stand anywhere before "--", and words. An option
 * without its value is an error (STATUS_USAGE); an unknown one is not yet.
 */
bool arguments_read(struct arena *arena, struct diag *diag, const struct argument_table *table,
	int argc, char *const argv[], struct arguments *out);
/*
 * Refuses unknown options and those that `command` does not have. With ARGUMENT_NO_COMMAND it
 * refuses only the unknown ones.
 */
bool arguments_check(struct arena *arena, struct diag *diag, const struct argument_table *table,
	size_t command, const struct arguments *arguments);
/* Checks how many words there are. */
bool arguments_check_words(struct diag *diag, const struct argument_table *table, size_t command,
	const struct strings *words);
/* Stores the values in `target`, except those of options that `command` does not have. */
bool arguments_store(struct arena *arena, struct diag *diag, const struct argument_table *table,
	size_t command, const struct arguments *arguments, void *target);

#endif
