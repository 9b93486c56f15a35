/* SPDX-License-Identifier: MIT */
/*
 * diff: finds the differences between two runners, and whether a running VM must be restarted to
 * switch from one to the other.
 */
#ifndef MVM_COMPILER_INSPECT_DIFF_H
#define MVM_COMPILER_INSPECT_DIFF_H

#include "compiler/runner/manifest.h"

struct change {
	const char *area; /* "command line" */
	const char *what; /* "kernel.path" or the name of a file; "" if the area is enough */
	const char *before, *after; /* NULL: absent; "" for a file that is present */
	bool reboot;                /* takes effect only when the VM is restarted */
};

enum package_kind { PACKAGE_ADDED, PACKAGE_REMOVED, PACKAGE_VERSION, PACKAGE_REBUILT };

/* A change in the store paths of one package name. */
struct package_change {
	enum package_kind kind;
	const char *name;
	const char *before, *after; /* versions, separated by ", "; "" if there are none */
	int64_t size_change;
};

struct closure_diff {
	struct {
		size_t paths;
		uint64_t raw;
	} before, after;
	VEC(struct package_change) packages; /* sorted by name */
};

struct diff {
	const struct manifest *before, *after;
	struct closure_diff closure;
	VEC(struct change) changes;
	struct strings reasons; /* areas that require a reboot */
};

/* diff_closure.c */
void closure_diff(struct arena *arena, const struct closure *before, const struct closure *after,
	struct closure_diff *out);
/*
 * diff_files.c: compares the runners' files except manifest.json and vm.json. Returns false with an
 * error if a file cannot be read.
 */
bool files_diff(struct arena *arena, struct diag *diag, struct diff *diff);
/* diff_report.c */
void diff_print(struct arena *arena, const struct diff *diff);
struct json_object *diff_json(const struct diff *diff);

#endif
