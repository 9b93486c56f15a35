/* SPDX-License-Identifier: MIT */
/*
 * ending: ends the program when the machine fails in a place that cannot return an error: one
 * message, half-written files are removed, STATUS_FAILED. The user's mistakes never come here; they
 * go to struct diag.
 */
#ifndef MVM_BASE_ENDING_H
#define MVM_BASE_ENDING_H

/* Sets what runs after the message; it must not allocate memory. */
void ending_do_last(void (*action)(void));

/* Allocates no memory. */
_Noreturn void ending_out_of_memory(void);
_Noreturn void ending_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Call after looking at `path` failed with `error`. Returns if that error is about the path (it
 * does not exist, or we may not read it). Otherwise the machine failed (no free descriptor, an
 * unreadable disk), and the program ends: taking that for "does not exist" would build something
 * else from the same input.
 */
void ending_unless_absent(const char *path, int error);

#endif
