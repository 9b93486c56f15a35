/* SPDX-License-Identifier: MIT */
/*
 * child: runs other programs: a hypervisor's own client for a running VM, and tools for file
 * systems.
 */
#ifndef MVM_BACKENDS_RUNTIME_BASE_CHILD_H
#define MVM_BACKENDS_RUNTIME_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/runtime/base/runtime.h"

struct output {
	char text[8192]; /* the rest of a longer output is discarded */
	size_t n;
};

/*
 * Runs the program without input and captures its output (NULL: the output is logged as its errors
 * are). True if it ended with status 0 before the deadline, at which it is killed; else its log is
 * printed on standard error.
 */
bool child_run(
	const char *const *argv, int64_t deadline, struct output *output, struct reason *why);
/* Runs the program without a deadline. Unless it ends with status 0, its output is shown. */
bool child_work(const char *const *argv, struct reason *why);

/* Reads a child's output to its end; false, with the reason, if the output is invalid. */
typedef bool child_reader(int output, void *context, struct reason *why);
/*
 * Runs argv to its end; `reader` reads its standard output. Its standard error is shown if it
 * fails.
 */
bool child_stream(const char *const *argv, child_reader *reader, void *context, struct reason *why);

/* Appends the directories of the administrator's programs to PATH. */
void path_extend(void);

#endif
