/* SPDX-License-Identifier: MIT */
/*
 * ending: what to do when the machine fails us in a place from where no error can be told: one
 * message, nothing half-written left behind, and STATUS_FAILED. Mistakes of the user never come
 * here; they go to struct diag.
 */
#ifndef MVM_BASE_ENDING_H
#define MVM_BASE_ENDING_H

/* What is done after the message: it must need no memory. */
void ending_do_last(void (*deed)(void));

/* Needs no memory of its own. */
_Noreturn void ending_out_of_memory(void);
_Noreturn void ending(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * After a look at `path` that failed with `error`: returns when that says something about the path
 * (there is no such thing, or it is not for us). Otherwise the machine fails (no descriptor is
 * free, a disk cannot be read): taken for "not there", it would make another thing of the same
 * input.
 */
void ending_unless_absent(const char *path, int error);

#endif
