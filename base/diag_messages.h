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

#endif
