/* SPDX-License-Identifier: MIT */
/*
 * manifest: a runner's description of itself, written by a build and read by the commands that
 * inspect runners.
 */
#ifndef MVM_COMPILER_RUNNER_MANIFEST_H
#define MVM_COMPILER_RUNNER_MANIFEST_H

#include <json-c/json.h>

#include "compiler/images/images.h"
#include "compiler/plan/plan.h"

/* Version 2 added the plan, the roots, and each path's references and size in the store disk. */
enum { MANIFEST_VERSION = 2 };

/*
 * Makes the manifest without the fingerprint and the list of files. The caller releases it
 * (json_object_put).
 */
bool manifest_make(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_results *results, struct json_object **out);

struct manifest {
	const char *runner; /* as the user named it */
	const char *host_name;
	struct json_object *json;        /* manifest.json; owned */
	struct json_object *description; /* vm.json; owned */
	struct json_object *plan;        /* a member of `json` */
	/* with all sizes, but without derivers, signatures and content addresses */
	struct closure closure;
	/* bytes of each path's data in the store disk; -1: unknown */
	const int64_t *stored;
	const size_t *roots;
	size_t nroots;
	const char *disk; /* path in the runner; NULL: there is no store disk */
	/* sizes of the disk, including its hash tree, and of the hash tree */
	uint64_t disk_bytes, tree_bytes;
};

/*
 * Reads a runner's manifest and description, and checks that every number is in range. Errors are
 * STATUS_INPUT. The caller must call manifest_free in any case.
 */
bool manifest_read(
	struct arena *arena, struct diag *diag, const char *runner, struct manifest *out);
void manifest_free(struct manifest *manifest);

/* Returns manifest.json of any version, or NULL if there is none. The caller releases it. */
struct json_object *manifest_peek(struct arena *arena, const char *runner);
/*
 * Returns a runner's vm.json; NULL with an error (STATUS_INPUT) if there is none or it is not an
 * object. The caller releases it.
 */
struct json_object *description_read(struct arena *arena, struct diag *diag, const char *runner);
/* Returns a member of the manifest, or "". */
const char *manifest_text(struct json_object *manifest, const char *key);

/*
 * Returns the indices of the store paths that contain `roots` (absolute paths, or paths inside
 * one); *n is at most roots->n.
 */
size_t *closure_roots(
	struct arena *arena, const struct closure *closure, const struct strings *roots, size_t *n);
/* Returns the paths that were requested to be packed, the toplevel first. */
struct strings plan_packed(struct arena *arena, const struct plan *plan);
/*
 * Makes a copy of the closure in which every size is known; measures those that its source omitted.
 */
bool closure_measure(
	struct arena *arena, struct diag *diag, const struct closure *closure, struct closure *out);

#endif
