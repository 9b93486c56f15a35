/* SPDX-License-Identifier: MIT */
/*
 * gcroots: protects the inputs of a build, and what finished runners need on their host, from Nix's
 * garbage collector.
 *
 * The order is: create roots for everything that the build reads, in a directory of their own;
 * build; publish the runner; create the runner's own roots; remove the build's roots. A collection
 * at any moment therefore removes neither the build's inputs, nor what the new runner needs, nor,
 * until the new runner is published, what the old one needs. A path that was collected before the
 * first step is reported as an error.
 */
#ifndef MVM_COMPILER_RUNNER_GCROOTS_H
#define MVM_COMPILER_RUNNER_GCROOTS_H

#include <stdbool.h>

#include "base/staging.h"
#include "compiler/plan/plan.h"

/*
 * Returns the store paths that the runner needs on its host: kernel, hypervisor and the scripts'
 * programs, but not what the runner contains itself. Sorted.
 */
struct strings gcroots_needed(struct arena *arena, const struct plan *plan);

/* The paths of one build: of a VM, or of all VMs of a host. */
struct gcroots_paths {
	struct strings needed; /* by the runners, on their host */
	struct strings read;   /* by the build */
	struct strings stores; /* the store directories of these paths */
};
/* Adds a plan's paths as copies. */
void gcroots_collect(struct arena *arena, const struct plan *plan, struct gcroots_paths *paths);

struct gcroots {
	struct arena *arena;
	struct diag *diag;
	struct gcroots_paths paths;
	/* links in a directory below Nix's gcroots; else indirect roots, in the output */
	bool direct;
	struct staging staging; /* the roots of the build */
};

/*
 * Call before the build. `directory` NULL: indirect roots. After a failure there is nothing to
 * abandon.
 */
bool gcroots_begin(struct arena *arena, struct diag *diag, const struct gcroots_paths *paths,
	const char *output, const char *directory, struct gcroots *roots);
/*
 * Call after the build: creates the roots of the output, indirect ones in the directory `links`,
 * and removes those of the build.
 */
bool gcroots_publish(struct gcroots *roots, const char *links);
/* Call after a failed build. */
void gcroots_abandon(struct gcroots *roots);

#endif
