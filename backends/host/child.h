/* SPDX-License-Identifier: MIT */
/* child: a hypervisor's own program, run as the client of one that runs already. */
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
 * Runs it with nothing to read and takes what it prints (NULL: it goes to standard error, as its own errors do). True when it ended with status 0
 * before the deadline, at which it is killed.
 */
bool child_run(const char *const *argv, int64_t deadline, struct output *output, struct reason *why);

#endif
