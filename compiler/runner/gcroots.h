/* SPDX-License-Identifier: MIT */
/*
 * gcroots: protection from Nix's garbage collector: of what is being built from, and of what
 * finished runners need on their host.
 *
 * The order: roots of everything that the build reads, in a directory of their own; the build; the
 * runner is published; its own roots are made; only then the first ones go. So a collection at any
 * moment takes neither the build's input, nor what the new runner needs, nor, until the new one is
 * there, what the old one needs. A path that was collected before the first step is an error that
 * names it.
 */
#ifndef MVM_COMPILER_RUNNER_GCROOTS_H
#define MVM_COMPILER_RUNNER_GCROOTS_H

#include <stdbool.h>

#include "base/staging.h"
#include "compiler/plan/plan.h"

/*
 * The store paths that the runner needs on its host: kernel, hypervisor, the scripts' programs; not
 * what it carries itself. Sorted.
 */
struct strings gcroots_needed(struct arena *arena, const struct plan *plan);

/* Of what is built in one go, a VM or all VMs of a host. */
struct gcroots_paths {
	struct strings needed; /* by the runners, on their host */
	struct strings read;   /* by the build */
	struct strings stores; /* in which they are */
};
/* Adds those of a plan, which need not live as long. */
void gcroots_collect(struct arena *arena, const struct plan *plan, struct gcroots_paths *paths);

struct gcroots {
	struct arena *arena;
	struct diag *diag;
	struct gcroots_paths paths;
	/* links in a directory below Nix's gcroots, else indirect ones, in what is built */
	bool direct;
	struct staging staging; /* the roots of the build */
};

/* Before the build. `directory` NULL: indirect roots. After false nothing is left to abandon. */
bool gcroots_begin(struct arena *arena, struct diag *diag, const struct gcroots_paths *paths,
	const char *output, const char *directory, struct gcroots *roots);
/*
 * After it: makes the roots of what was built, indirect ones in the directory `links`, and lets
 * those of the build go.
 */
bool gcroots_publish(struct gcroots *roots, const char *links);
/* After a build that failed. */
void gcroots_abandon(struct gcroots *roots);

#endif
