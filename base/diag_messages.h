/* SPDX-License-Identifier: MIT */
/* diag_messages: the contents of a struct diag, for diag.c, which records, and diag_print.c. */
#ifndef MVM_BASE_DIAG_MESSAGES_H
#define MVM_BASE_DIAG_MESSAGES_H

#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"

struct diag_message {
	enum severity severity;
	enum status status;
	struct pos where;
	const char *code, *text;
};

struct diag_source {
	/*
	 * The caller's `file` pointer, which may be dangling: it distinguishes arguments of the
	 * same name.
	 */
	uintptr_t given;
	const char *file, *text; /* copies */
	size_t length;
	bool argument; /* from the command line */
};

struct diag {
	struct arena *arena;
	const char *program;
	VEC(struct diag_message) messages;
	VEC(struct diag_source) sources;
	size_t errors, printed;
	enum status status;
};

/* An error or warning with its notes, or a note that stands alone. */
struct diag_group {
	const struct diag_message *first;
	size_t count;
	size_t source; /* rank of its source */
};

/* ---- diag.c ---- */

extern const char *const diag_severity_names[];
/* The source that a file of a position names; NULL if its text is unknown. */
const struct diag_source *diag_source_of(const struct diag *diag, const char *file);
/* Whether the message is about a place in a file: its line and column are known. */
bool diag_has_place(const struct diag *diag, const struct diag_message *message);
/* Whether it is about an argument of the command line. */
bool diag_is_argument(const struct diag *diag, const struct diag_message *message);
/*
 * The argument or file that a message without a line is about; NULL if its text names it, or if it
 * is about neither.
 */
const char *diag_subject(const struct diag *diag, const struct diag_message *message);

/* ---- diag_machine.c: for other programs ---- */

void diag_print_json(const struct diag *diag, FILE *out, const struct diag_group *group);
void diag_print_github(const struct diag *diag, FILE *out, const struct diag_group *group);
void diag_print_sarif(
	const struct diag *diag, FILE *out, const struct diag_group *groups, size_t count);

#endif
