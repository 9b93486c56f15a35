/* SPDX-License-Identifier: MIT */
/*
 * runtime: functions that the verbs of mvm-host share. mvm-host is independent of the compiler and
 * uses only libc.
 */
#ifndef MVM_BACKENDS_RUNTIME_BASE_RUNTIME_H
#define MVM_BACKENDS_RUNTIME_BASE_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/number.h"

enum {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_CUT_OFF = 3, /* the guest did not shut down by itself */
};

/* Prints one line on stderr, with the program's name before it. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Milliseconds of CLOCK_MONOTONIC, in which deadlines are given. */
int64_t clock_ms(void);
/* Milliseconds left until the deadline, for poll(): never negative. */
int deadline_left(int64_t deadline);
void sleep_ms(int ms);

/* Exceeds the memory of any VM, in MiB; in bytes it still fits into 64 bits. */
#define MEMORY_MAX_MIB (UINT64_C(1) << 32)
/* Parses the sizes of a verb "balloon"; prints an error if one is invalid. */
bool balloon_sizes_parse(
	const char *memory, const char *balloon, uint64_t *memory_mib, uint64_t *balloon_mib);

/* A reason for a failure, as one line without the newline. */
struct reason {
	char text[256];
};
/* Always returns false, so that a check can end with it. */
bool reason_set(struct reason *reason, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Reports that no process listens on a VM's socket, which SCRIPT looked for; STATUS_FAILED. */
int no_vm(const char *script, const char *socket);

/* Returns the formatted text; ends the program if memory runs out. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Returns `p`, the result of malloc or similar; ends the program if it is NULL. */
void *memory(void *p);
/* Returns the directory of `path`, with a slash at its end. */
char *directory_of(const char *path);

/*
 * A verb receives its own arguments, as many as its row in main.c requires, and returns the exit
 * status.
 */
int verb_accel(char **arguments);
int verb_tsc_khz(char **arguments);
int verb_pidfd(char **arguments); /* returns only on failure */
int verb_tty(char **arguments);   /* returns only on failure */
int verb_journal(char **arguments);
int verb_shutdown_qmp(char **arguments);
int verb_balloon_qmp(char **arguments);
int verb_shutdown_crosvm(char **arguments);
int verb_balloon_crosvm(char **arguments);
int verb_balloon_lkvm(char **arguments);
int verb_state_qmp(char **arguments);
int verb_state_ch(char **arguments);
int verb_state_fc(char **arguments);
int verb_extend(char **arguments);
int verb_foreground(char **arguments);
int verb_listens(char **arguments);
int verb_port(char **arguments);
int verb_notify(char **arguments); /* continues in the background */
int verb_virtiofsd(char **arguments);
int verb_shutdown_ch(char **arguments);
int verb_shutdown_fc(char **arguments);
int verb_balloon_ch(char **arguments);
int verb_balloon_fc(char **arguments);
int verb_volume_check(char **arguments);
int verb_volume_free(char **arguments);
int verb_volume_lock(char **arguments);
int verb_volume_create(char **arguments);
int verb_volume_clean(char **arguments);
int verb_volume_whole(char **arguments);
int verb_volume_direct(char **arguments);
int verb_volume_grow(char **arguments);
int verb_aio(char **arguments);

#endif
