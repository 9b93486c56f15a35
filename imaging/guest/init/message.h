/* SPDX-License-Identifier: MIT */
/* message: messages of the first stage on the console. Every line starts with "stage1: ". */
#ifndef MVM_IMAGING_GUEST_INIT_MESSAGE_H
#define MVM_IMAGING_GUEST_INIT_MESSAGE_H

#include "imaging/guest/init/parameters.h"

/*
 * Opens the console, possibly again, as standard input, output and error. On failure it opens the
 * kernel's log for output instead and returns false.
 */
bool console_open(void);

void message(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Reports a step, with the milliseconds since the kernel started; only with mvm.debug=1. */
void debug(const struct parameters *parameters, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Returns the current end of the kernel's log. While something fails, the kernel often logs more
 * detail than errno gives.
 */
int kernel_log_mark(void);
/* Prints the kernel's log from the mark on, and closes the mark. */
void kernel_log_print(int log);
void kernel_log_close(int log);

/* Returns the milliseconds since the kernel started. */
long long milliseconds(void);

/* Ends the VM, after running the shell that mvm.shell= names, if any. */
_Noreturn void stop(const struct parameters *parameters);

#endif
