/* SPDX-License-Identifier: MIT */
/* message: what the first stage tells the console, always as lines that start with "stage1: ". */
#ifndef MVM_MESSAGE_H
#define MVM_MESSAGE_H

#include "parameters.h"

/* (Re)opens the console as standard input, output and error; the kernel's log stands in where there is none. */
void console_open(void);

void message(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A step, with the milliseconds since the kernel started; only with mvm.debug=1. */
void debug(const struct parameters *parameters, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The kernel's last `count` messages: they often say what errno cannot. */
void message_kernel_log(unsigned count);

/* Milliseconds since the kernel started. */
long long milliseconds(void);

/* Ends the VM, after the shell that mvm.shell= names, if any. */
_Noreturn void stop(const struct parameters *parameters);

#endif
