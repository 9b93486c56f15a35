/* SPDX-License-Identifier: MIT */
/* diag: collects all errors and warnings with their places, and prints them once. */
#ifndef MVM_BASE_DIAG_H
#define MVM_BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct arena;

/* Exit status of the program; every error carries the one that it leads to. */
enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1, /* the build failed: a full disk, a broken tool */
	/* `diff` found differences: not an error, but the status that diff(1) uses */
	STATUS_DIFFERENT = 1,
	STATUS_USAGE = 2,       /* the command line is wrong */
	STATUS_DESCRIPTION = 3, /* the description is wrong */
	STATUS_INPUT = 4,       /* a file that the description names is missing or broken */
	STATUS_INTERRUPTED = 130,
};

/*
 * A place in a source text. `line` and `column` count from 1; line 0 means "no place". `width` is
 * in columns.
 */
struct pos {
	const char *file;
	unsigned line, column, width;
};

enum severity { SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_ERROR };

struct diag;

/* All memory comes from `arena`, which must outlive the diag. */
struct diag *diag_new(struct arena *arena);

/* Sets the program's name for messages without a place; "mvmbuild" by default. */
void diag_name_program(struct diag *diag, const char *program);
/* Lets messages about `file` show the line that they refer to. Copies both texts. */
void diag_add_source(struct diag *diag, const char *file, const char *text, size_t length);
/*
 * Lets messages about a command-line argument ("--set vcpu" with the text "vcpu=2") show it,
 * without line numbers.
 */
void diag_add_argument(struct diag *diag, const char *name, const char *text);

/*
 * Records an error. `where` may be NULL. `code` is the stable name of the message
 * ("unknown-option"), always a literal. The text is lower case, has no full stop and puts the
 * user's text in "quotes". Always returns false, for `return diag_error(...)`.
 */
bool diag_error(struct diag *diag, enum status status, const struct pos *where, const char *code,
	const char *format, ...) __attribute__((format(printf, 5, 6)));
void diag_warning(struct diag *diag, const struct pos *where, const char *code, const char *format,
	...) __attribute__((format(printf, 4, 5)));
/*
 * A note belongs to the preceding error or warning if that has the same code, else it stands alone.
 */
void diag_note(struct diag *diag, const struct pos *where, const char *code, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/*
 * Copies everything that was recorded in `other`, the diag of a thread, which may be freed
 * afterwards.
 */
void diag_take(struct diag *diag, const struct diag *other);

size_t diag_error_count(const struct diag *diag);
/* STATUS_OK without errors, else the status of the first one. */
enum status diag_status(const struct diag *diag);
/*
 * Returns the exit status of a program that failed: diag_status, but never STATUS_OK. A failure
 * without an error is recorded as an internal error.
 */
enum status diag_failure(struct diag *diag);

/* Returns the text of error number `index`, from 0; NULL past the last one. */
const char *diag_error_text(const struct diag *diag, size_t index);
/*
 * Returns the first error with its place in one line, to be quoted in another message; NULL without
 * errors.
 */
const char *diag_summary(struct arena *arena, const struct diag *diag);

/*
 * Text; one JSON object per line; one GitHub workflow command per line; one SARIF 2.1.0 document.
 */
enum diag_format { DIAG_HUMAN, DIAG_JSON, DIAG_GITHUB, DIAG_SARIF };
/*
 * Prints the messages recorded since the last call, sorted by source, line and column; those
 * without a place come last.
 */
void diag_print(struct diag *diag, FILE *out, enum diag_format format, bool quiet);

#endif
