/* SPDX-License-Identifier: MIT */
/* child: other programs: a hypervisor's own as the client of one that runs already, tools for file systems. */
#ifndef MVM_HOST_CHILD_H
#define MVM_HOST_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host.h"

struct output {
	char text[8192]; /* what does not fit is lost */
	size_t n;
};

/*
 * Runs it with nothing to read and takes what it prints (NULL: that is a part of its log, as its errors are). True when it ended with status 0
 * before the deadline, at which it is killed; else its log is on standard error.
 */
bool child_run(const char *const *argv, int64_t deadline, struct output *output, struct reason *why);
/* Runs it for as long as it takes. True when it ended with a status up to `highest`; else what it printed is shown. */
bool child_work(const char *const *argv, int highest, struct reason *why);

#endif
