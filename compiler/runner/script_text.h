/* SPDX-License-Identifier: MIT */
/*
 * script_text: fills templates, and quotes values of the description for the shell. Everything is
 * allocated in the arena.
 */
#ifndef MVM_COMPILER_RUNNER_SCRIPT_TEXT_H
#define MVM_COMPILER_RUNNER_SCRIPT_TEXT_H

#include "base/buf.h"
#include "compiler/plan/plan.h"

/* The text for a placeholder `@name@` of a template. */
struct hole {
	const char *name;
	const char *text; /* shell, already quoted */
};

/*
 * Returns the template runner/NAME.sh with its placeholders filled; `holes` ends with one without a
 * name. @path@ becomes the line that prepends hostPath to PATH.
 */
const char *script_fill(
	struct arena *arena, const struct plan *plan, const char *name, const struct hole *holes);
/* Returns the template runner/NAME.sh unchanged, to fill a placeholder of another template. */
const char *script_part(struct arena *arena, const char *name);
/* Quotes a text as one word. */
const char *script_quoted(struct arena *arena, const char *text);
/* Quotes each text as a word, separated by spaces. */
const char *script_words(struct arena *arena, const struct strings *list);
/* Writes one word that consists of pieces, some of which are known only when the VM starts. */
void script_put_pieces(struct buf *out, const struct pieces *pieces);

#endif
