/* SPDX-License-Identifier: MIT */
/* closure: which store paths the VM needs, from whatever source knows it. */
#ifndef MVM_COMPILER_CLOSURE_CLOSURE_H
#define MVM_COMPILER_CLOSURE_CLOSURE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"
#include "imaging/store/store_path.h"

struct closure_request {
	/* absolute store paths (or paths inside one): toplevel first, then further ones */
	struct strings roots;
	const struct pos *roots_pos; /* roots.n places, or NULL */
	const char *store_dir;       /* "/nix/store" */
	const char *file;            /* the description's `closure`; NULL: find out */
	const struct pos *file_pos;
	/* Nix's state directory; NULL: $NIX_STATE_DIR, else /nix/var/nix */
	const char *state_dir;
	unsigned jobs;             /* threads, for what must be read; 0: one */
	struct closure_memo *memo; /* of what further closures need, too; NULL: none */
};

/*
 * Fills `out` with the closure of the roots. Every path exists on disk, every reference is inside;
 * errors (all of them, STATUS_INPUT) say which path is missing and who refers to it. Every path has
 * a NAR hash: the one that its source has for it, or, where the source has none (a scan, a list),
 * the hash of what is there now; the paths are read for that. So whoever reads one later can tell
 * whether it is still the same. Strings live in `arena`.
 */
bool closure_load(struct arena *arena, struct diag *diag, const struct closure_request *request,
	struct closure *out);

/* Whether a store path, STORE/HASH-NAME, is among them. */
bool closure_has(const struct closure *closure, const char *path);

#endif
