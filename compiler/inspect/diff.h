/* SPDX-License-Identifier: MIT */
/*
 * diff: what differs between two runners, and whether a VM of the one must be restarted to be one
 * of the other.
 */
#ifndef MVM_COMPILER_INSPECT_DIFF_H
#define MVM_COMPILER_INSPECT_DIFF_H

#include "compiler/runner/manifest.h"

struct change {
	const char *area; /* "command line" */
	const char *what; /* "kernel.path", the name of a file; "" when the area says it all */
	const char *before, *after; /* NULL: not there; of a file that is there "" */
	bool reboot;                /* a running VM has the old one until it is restarted */
};

enum package_kind { PACKAGE_ADDED, PACKAGE_REMOVED, PACKAGE_VERSION, PACKAGE_REBUILT };

/* All store paths of one name. */
struct package_change {
	enum package_kind kind;
	const char *name;
	const char *before, *after; /* versions, separated by ", "; "" where there is none */
	int64_t size_change;
};

struct closure_diff {
	struct {
		size_t paths;
		uint64_t raw;
	} before, after;
	VEC(struct package_change) packages; /* by name */
};

struct diff {
	const struct manifest *before, *after;
	struct closure_diff closure;
	VEC(struct change) changes;
	struct strings reasons; /* areas for which a reboot is needed */
};

/* diff_closure.c */
void closure_diff(struct arena *arena, const struct closure *before, const struct closure *after,
	struct closure_diff *out);
/*
 * diff_files.c: the runners' files but manifest.json and vm.json. False with an error for what
 * cannot be read.
 */
bool files_diff(struct arena *arena, struct diag *diag, struct diff *diff);
/* diff_report.c */
void diff_print(struct arena *arena, const struct diff *diff);
struct json_object *diff_json(const struct diff *diff);

#endif
