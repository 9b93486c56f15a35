/* SPDX-License-Identifier: MIT */
/* closure: finds out which store paths the VM needs, from the first source that knows. */
#ifndef MVM_COMPILER_CLOSURE_CLOSURE_H
#define MVM_COMPILER_CLOSURE_CLOSURE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/meter.h"
#include "imaging/store/store_path.h"

struct closure_request {
	/* absolute store paths, or paths inside one; the toplevel comes first */
	struct strings roots;
	const struct pos *roots_pos; /* roots.n positions, or NULL */
	const char *store_dir;       /* "/nix/store" */
	const char *file;            /* the description's `closure`; NULL: use a default source */
	const struct pos *file_pos;
	/* Nix's state directory; NULL: $NIX_STATE_DIR, else /nix/var/nix */
	const char *state_dir;
	const struct meter *meter; /* of the store paths that are read; NULL: none */
	unsigned jobs;             /* threads that read store paths; 0: one */
	struct closure_memo *memo; /* shared with later closures of this run; NULL: none */
};

/*
 * Fills `out` with the closure of the roots. Every path in it exists on disk and every reference
 * points to another path in it. All errors are reported (STATUS_INPUT); they name the missing path
 * and its referrer. Every path has a NAR hash: the one that the source records or, if the source
 * has none (a scan, a list), the hash of the present contents, which are read for this. A later
 * reader can therefore detect a change. Strings live in `arena`.
 */
bool closure_load(struct arena *arena, struct diag *diag, const struct closure_request *request,
	struct closure *out);

/*
 * Checks only that the roots exist and the file can be read, for a description whose closure cannot
 * be loaded yet.
 */
bool closure_check(struct arena *arena, struct diag *diag, const struct closure_request *request);

/* Whether the closure contains the store path STORE/HASH-NAME. */
bool closure_has(const struct closure *closure, const char *path);

#endif
