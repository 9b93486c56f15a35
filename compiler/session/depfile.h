/* SPDX-License-Identifier: MIT */
/*
 * depfile: the inputs of a runner or of a host, for make and ninja.
 *
 * Both compare the modification times of files, and both follow symbolic links. When a link is
 * replaced, the only time that changes is that of the directory that holds it, so such directories
 * are inputs too. They also change for other reasons; then a build finds that its output is up to
 * date, and updates the output's time.
 */
#ifndef MVM_COMPILER_SESSION_DEPFILE_H
#define MVM_COMPILER_SESSION_DEPFILE_H

#include <time.h>

#include "base/string_map.h"
#include "compiler/plan/plan.h"

struct inputs {
	struct strings files;       /* descriptions and the files that they name; no "-" */
	struct string_map known;    /* the files and the links, each once */
	struct strings directories; /* of the links on the way to the files */
	struct strings links;       /* names with links in them, and what they led to */
	struct strings targets;
	struct timespec read; /* when reading began */
};

/* Call before the description is read. */
void inputs_begin(struct inputs *inputs);
/*
 * Adds the inputs of a plan, as copies. `descriptions` are the files that were merged. Store paths
 * never change, so only those that the description names are listed.
 */
void inputs_collect(struct arena *arena, const struct strings *descriptions,
	const struct plan *plan, struct inputs *inputs);

/* Adds a file that was read, with the links that lead to it; "-" is none. */
void inputs_add(struct arena *arena, struct inputs *inputs, const char *path);

/* Refuses a path inside the output, which is replaced as a whole. */
bool depfile_check(struct arena *arena, struct diag *diag, const char *path, const char *output);
/*
 * Writes the rule "OUTPUT: INPUT..." to `path`, atomically and only if it has changed. If an input
 * is removed later, make builds again instead of failing.
 */
bool depfile_write(struct arena *arena, struct diag *diag, const char *path, const char *output,
	const struct inputs *inputs);

/*
 * Makes an output that was just built, or that is up to date, as new as its inputs, as make and
 * ninja expect. If an input changed since it was read, the output becomes older than that input.
 * Otherwise an output that is new enough is left alone, so that nothing that depends on it is built
 * again.
 */
void inputs_settle(struct arena *arena, const struct inputs *inputs, const char *output);

#endif
