/* SPDX-License-Identifier: MIT */
/*
 * arguments: reads a command line by a table of options. Each command of a program has some of the
 * options and refuses the others. The help is printed from the same table.
 */
#ifndef MVM_BASE_ARGUMENTS_H
#define MVM_BASE_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/diag.h"

enum argument_kind {
	ARGUMENT_FLAG,    /* bool: true if given */
	ARGUMENT_STRING,  /* const char *, never empty */
	ARGUMENT_STRINGS, /* struct strings: the option may be repeated */
	ARGUMENT_CHOICE,  /* an enum: the index of the choice */
	ARGUMENT_CUSTOM,  /* the member `store` stores it */
	ARGUMENT_COMMAND, /* chooses the command; nothing is stored */
};

/* `target` is the program's own struct. */
struct argument_row {
	char letter; /* 0: no letter */
	const char *name;
	const char *argument; /* the value's name in the help: "PATH"; NULL: no value */
	const char *doc;      /* NULL: the help does not show the option */
	unsigned commands;    /* a bit for each command that has the option */
	bool optional;        /* the value may be omitted: --gcroot, --gcroot=DIR */
	bool program_follows; /* everything from the next word on belongs to another program */
	enum argument_kind kind;
	size_t offset;              /* in `target` */
	const char *const *choices; /* ends with NULL */
	/* ARGUMENT_CUSTOM; `value` is NULL if an optional value was omitted */
	bool (*store)(struct arena *arena, struct diag *diag, void *target, const char *value);
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
#define ARGUMENT_IS_CUSTOM(function, a) \
	.argument = (a), .kind = ARGUMENT_CUSTOM, .store = (function)

/* A command. Its number is the index of its row. */
struct argument_command {
	const char *name;  /* as a user writes it: "build", "cache gc", "--list" */
	const char *words; /* for help and messages: "VM.yaml..."; "": none */
	const char *doc;
	unsigned words_min, words_max;
};

struct argument_table {
	const char *program; /* for messages */
	const struct argument_row *rows;
	size_t count;
	const struct argument_command *commands;
	size_t ncommands;
};

/* Passed as `command` if there is none. */
#define ARGUMENT_NO_COMMAND ((size_t)-1)

/* An option of the command line. */
struct argument {
	const struct argument_row *row; /* the first of its name; NULL if no row has the name */
	const char *text;               /* for messages, as the user wrote it; NULL if row is set */
	const char *value;
};

struct arguments {
	VEC(struct argument) options;
	struct strings words; /* everything that is not an option */
	bool has_separator;   /* "--" precedes the rest of the words */
};

/*
 * Splits the command line into options, which may be anywhere before "--", and words. A missing
 * value is an error (STATUS_USAGE); an unknown option is not yet.
 */
bool arguments_read(struct arena *arena, struct diag *diag, const struct argument_table *table,
	int argc, char *const argv[], struct arguments *out);
/*
 * Refuses unknown options and those that `command` does not have. With ARGUMENT_NO_COMMAND it
 * refuses only the unknown ones.
 */
bool arguments_check(struct arena *arena, struct diag *diag, const struct argument_table *table,
	size_t command, const struct arguments *arguments);
/* Checks the number of words. */
bool arguments_check_words(struct diag *diag, const struct argument_table *table, size_t command,
	const struct strings *words);
/* Stores the values in `target`, except those of options that `command` does not have. */
bool arguments_store(struct arena *arena, struct diag *diag, const struct argument_table *table,
	size_t command, const struct arguments *arguments, void *target);

#endif
