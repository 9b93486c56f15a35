/* SPDX-License-Identifier: MIT */
/* message: what the first stage tells the console, always as lines that start with "stage1: ". */
#ifndef MVM_IMAGING_GUEST_INIT_MESSAGE_H
#define MVM_IMAGING_GUEST_INIT_MESSAGE_H

#include "imaging/guest/init/parameters.h"

/*
 * (Re)opens the console as standard input, output and error. False when there is none; then the
 * kernel's log stands in.
 */
bool console_open(void);

void message(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A step, with the milliseconds since the kernel started; only with mvm.debug=1. */
void debug(const struct parameters *parameters, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Where the kernel's log ends now. What it says while something fails is often more than errno can.
 */
int kernel_log_mark(void);
/* Tells what has come since; closes the mark. */
void kernel_log_tell(int log);
void kernel_log_close(int log);

/* Milliseconds since the kernel started. */
long long milliseconds(void);

/* Ends the VM, after the shell that mvm.shell= names, if any. */
_Noreturn void stop(const struct parameters *parameters);

#endif
