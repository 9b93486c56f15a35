/* SPDX-License-Identifier: MIT */
/* plain_output: completes the standard output of a program that ignores SIGPIPE. */
#ifndef MVM_BASE_PLAIN_OUTPUT_H
#define MVM_BASE_PLAIN_OUTPUT_H

enum output {
	OUTPUT_WRITTEN,
	OUTPUT_UNREAD, /* the reader of the pipe closed it, as `| head` does */
	OUTPUT_FAILED,
};

/* Writes what is buffered, and returns whether all output was written. */
enum output output_finish(void);
/* Ends the process by SIGPIPE, as if it did not ignore it. */
_Noreturn void output_end_unread(void);

#endif
