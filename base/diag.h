/* SPDX-License-Identifier: MIT */
/* diag: everything that is wrong is collected here, with its place, and printed once. */
#ifndef MVM_BASE_DIAG_H
#define MVM_BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct arena;

/* Exit status of the program; an error carries the one that it leads to. */
enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,      /* the build failed: a full disk, a broken tool */
	STATUS_DIFFERENT = 1,   /* `diff` found differences: no error, but as diff(1) tells it */
	STATUS_USAGE = 2,       /* the command line */
	STATUS_DESCRIPTION = 3, /* the description is wrong */
	STATUS_INPUT = 4,       /* something that the description names is missing or broken */
	STATUS_INTERRUPTED = 130,
};

/*
 * A place in a source text. `line` and `column` count from 1; line 0 is "no place". `width` counts
 * columns.
 */
struct pos {
	const char *file;
	unsigned line, column, width;
};

enum severity { SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_ERROR };

struct diag;

/* All memory comes from `arena`, which must outlive the diag. */
struct diag *diag_new(struct arena *arena);

/* The program's name in messages without a place: "mvmbuild" until it is told. */
void diag_name_program(struct diag *diag, const char *program);
/* Lets messages about `file` show the line that they speak of. Both are copied. */
void diag_add_source(struct diag *diag, const char *file, const char *text, size_t length);
/*
 * The same for an argument of the command line ("--set vcpu" with the text "vcpu=2"): shown without
 * numbers of lines.
 */
void diag_add_argument(struct diag *diag, const char *name, const char *text);

/*
 * Records an error. `where` may be NULL. `code` is the stable name of the message
 * ("unknown-option"), always a literal. Text: lower case, no full stop, user's text in "quotes".
 * Always returns false, for `return diag_error(...)`.
 */
bool diag_error(struct diag *diag, enum status status, const struct pos *where, const char *code,
	const char *format, ...) __attribute__((format(printf, 5, 6)));
void diag_warning(struct diag *diag, const struct pos *where, const char *code, const char *format,
	...) __attribute__((format(printf, 4, 5)));
/*
 * A note belongs to the error or warning before it when that has the same code, else it stands
 * alone.
 */
void diag_note(struct diag *diag, const struct pos *where, const char *code, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/*
 * Records everything that was recorded in `other`, which may go afterwards: what a thread of its
 * own had to say.
 */
void diag_take(struct diag *diag, const struct diag *other);

size_t diag_error_count(const struct diag *diag);
/* STATUS_OK without errors, else the status of the first one. */
enum status diag_status(const struct diag *diag);
/*
 * What a program that failed exits with: the same, and never STATUS_OK: that nothing said why is an
 * error of its own.
 */
enum status diag_failure(struct diag *diag);

/* The text of error number `index`, from 0; NULL behind the last one. */
const char *diag_error_text(const struct diag *diag, size_t index);
/*
 * The first error in one line, with its place, for a message that is about more; NULL without
 * errors.
 */
const char *diag_summary(struct arena *arena, const struct diag *diag);

enum diag_format { DIAG_HUMAN, DIAG_JSON };
/*
 * Prints what was recorded since the last call, in the order of sources, lines and columns; what
 * has no place comes last.
 */
void diag_print(struct diag *diag, FILE *out, enum diag_format format, bool quiet);

#endif
