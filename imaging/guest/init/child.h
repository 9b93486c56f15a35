/* SPDX-License-Identifier: MIT */
/* child: the end of a program that the first stage runs. */
#ifndef MVM_IMAGING_GUEST_INIT_CHILD_H
#define MVM_IMAGING_GUEST_INIT_CHILD_H

#include <sys/types.h>

#include "imaging/guest/init/parameters.h"

/* The status of a child whose program could not be started, which it has reported. */
enum { CHILD_NOT_STARTED = 127 };

/* Waits for the child, whose failure ends the VM with a message that has the name. */
void child_finish(const struct parameters *parameters, pid_t child, const char *name);

#endif
