/* SPDX-License-Identifier: MIT */
/*
 * child: other programs: a hypervisor's own as the client of one that runs already, tools for file
 * systems.
 */
#ifndef MVM_BACKENDS_RUNTIME_BASE_CHILD_H
#define MVM_BACKENDS_RUNTIME_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/runtime/base/runtime.h"

struct output {
	char text[8192]; /* what does not fit is lost */
	size_t n;
};

/*
 * Runs it with nothing to read and takes what it prints (NULL: that is a part of its log, as its
 * errors are). True when it ended with status 0 before the deadline, at which it is killed; else
 * its log is on standard error.
 */
bool child_run(
	const char *const *argv, int64_t deadline, struct output *output, struct reason *why);
/* Runs it for as long as it takes. Unless it ends with status 0, what it printed is shown. */
bool child_work(const char *const *argv, struct reason *why);

/* Reads a child's output to its end; false, with the reason, when that is not what it wants. */
typedef bool child_reader(int output, void *context, struct reason *why);
/*
 * Runs argv to its end; `reader` gets its standard output. What it says on the other one is shown
 * when it fails.
 */
bool child_stream(const char *const *argv, child_reader *reader, void *context, struct reason *why);

/* PATH gets, at its end, the directories of the administrator's programs. */
void path_extend(void);

#endif
