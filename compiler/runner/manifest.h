/* SPDX-License-Identifier: MIT */
/*
 * manifest: what a runner says of itself: written by a build, read by the commands that judge
 * runners.
 */
#ifndef MVM_COMPILER_RUNNER_MANIFEST_H
#define MVM_COMPILER_RUNNER_MANIFEST_H

#include <json-c/json.h>

#include "compiler/images/images.h"
#include "compiler/plan/plan.h"

/* 2: the plan, the roots, and of each path its references and its size in the store disk. */
enum { MANIFEST_VERSION = 2 };

/* All of it but the fingerprint and the list of files. The caller's (json_object_put). */
bool manifest_make(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_results *results, struct json_object **out);

struct manifest {
	const char *runner; /* as named */
	const char *host_name;
	struct json_object *json;        /* manifest.json; owned */
	struct json_object *description; /* vm.json; owned */
	struct json_object *plan;        /* in `json` */
	/* with all sizes; derivers, signatures and addresses are not kept */
	struct closure closure;
	/* bytes of each path's data in the store disk; -1: not known */
	const int64_t *stored;
	const size_t *roots;
	size_t nroots;
	const char *disk;                /* in the runner; NULL: it has no store disk */
	uint64_t disk_bytes, tree_bytes; /* all of it; its hash tree, which is part of it */
};

/*
 * Reads those of a runner; every number in it is in range. Errors are STATUS_INPUT. manifest_free
 * in any case.
 */
bool manifest_read(
	struct arena *arena, struct diag *diag, const char *runner, struct manifest *out);
void manifest_free(struct manifest *manifest);

/* manifest.json of whatever version, where there is one, else NULL. The caller's. */
struct json_object *manifest_peek(struct arena *arena, const char *runner);
/* "" where there is none. */
const char *manifest_text(struct json_object *manifest, const char *key);

/*
 * The numbers of the paths that `roots` (absolute paths, or paths in one) are of; *n is at most
 * roots->n.
 */
size_t *closure_roots(
	struct arena *arena, const struct closure *closure, const struct strings *roots, size_t *n);
/* What was asked to be packed: the toplevel first. */
struct strings plan_packed(struct arena *arena, const struct plan *plan);
/* A closure in which every size is known: measures what its source left out. */
bool closure_measure(
	struct arena *arena, struct diag *diag, const struct closure *closure, struct closure *out);

#endif
