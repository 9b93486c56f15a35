/* SPDX-License-Identifier: MIT */
/*
 * script_text: how a template becomes a script, and a value of the description a word of the shell.
 * Everything is allocated in the arena.
 */
#ifndef MVM_COMPILER_RUNNER_SCRIPT_TEXT_H
#define MVM_COMPILER_RUNNER_SCRIPT_TEXT_H

#include "base/buf.h"
#include "compiler/plan/plan.h"

/* A text for a hole of a template: `@name@`. */
struct hole {
	const char *name;
	const char *text; /* shell, already quoted */
};

/*
 * The template runner/NAME.sh with its holes filled; `holes` ends with a hole without a name.
 * @path@, the way to hostPath, is filled always.
 */
const char *script_fill(
	struct arena *arena, const struct plan *plan, const char *name, const struct hole *holes);
/* The template runner/NAME.sh as it is: for a hole of others. */
const char *script_part(struct arena *arena, const char *name);
/* One word. */
const char *script_quoted(struct arena *arena, const char *text);
/* Words with blanks between them. */
const char *script_words(struct arena *arena, const struct strings *list);
/* One word out of pieces, of which some are known only when the VM starts. */
void script_put_pieces(struct buf *out, const struct pieces *pieces);

#endif
