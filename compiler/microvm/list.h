/* SPDX-License-Identifier: MIT */
/* list: the facts about a VM that `microvm --list` shows, and the two forms of the list. */
#ifndef MVM_COMPILER_MICROVM_LIST_H
#define MVM_COMPILER_MICROVM_LIST_H

#include "compiler/microvm/left.h"
#include "compiler/microvm/machine.h"
#include "compiler/microvm/source.h"
#include "compiler/microvm/units.h"

enum state {
	STATE_CURRENT,  /* a build now would make the same runner */
	STATE_OUTDATED, /* a build now would make another runner */
	STATE_STALE,    /* the current runner is up to date, but the booted one is not */
	STATE_UNKNOWN,  /* the source cannot be read or evaluated */
	STATE_BROKEN,   /* `current` does not lead to a runner */
};

/* A VM in the list. */
struct row {
	struct machine machine;
	struct source source;
	struct unit unit;
	const char *failure; /* why its units failed, in one line; NULL: none has */
	bool gave_up;        /* systemd has given up one of its units */
	const char *by_hand; /* the process that runs it without its unit; NULL: none */
	const char *paused;  /* NULL: not paused */
	enum state state;
	struct product current, booted, wanted;
	const char *problem; /* NULL: none */
};

/* ---- list_row.c ---- */

/* "current", "outdated" */
extern const char *const row_state_names[];
/* The VM's state in a word: "running". */
const char *row_activity(const struct row *row);
/* Whether the VM starts when the host boots. */
bool row_is_enabled(const struct row *row);

/* ---- list_table.c, list_json.c ---- */

void list_print_table(const struct host *host, const struct row *rows, size_t count);
void list_print_json(const struct host *host, const struct row *rows, size_t count,
	const struct left *left, size_t nleft, const struct strings *dangling);

#endif
