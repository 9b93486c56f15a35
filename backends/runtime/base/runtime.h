/* SPDX-License-Identifier: MIT */
/* What the verbs of mvm-host share. mvm-host stands alone: libc only, nothing of the compiler. */
#ifndef MVM_BACKENDS_RUNTIME_BASE_RUNTIME_H
#define MVM_BACKENDS_RUNTIME_BASE_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

enum {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_CUT_OFF = 3, /* the guest did not go down by itself */
};

/* One line on stderr, with the program's name before it. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Milliseconds of CLOCK_MONOTONIC. Deadlines are such times. */
int64_t clock_ms(void);
/* Milliseconds left until the deadline, as poll() wants them: never negative. */
int deadline_left(int64_t deadline);
void sleep_ms(int ms);

/* Decimal digits and nothing else, min..max. */
bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* More memory than any VM has, in MiB; as bytes it still fits 64 bits. */
#define MEMORY_MAX_MIB (UINT64_C(1) << 32)
/* The sizes that a verb "balloon" is given; complains when one is wrong. */
bool balloon_sizes_parse(
	const char *memory, const char *balloon, uint64_t *memory_mib, uint64_t *balloon_mib);

/* Why something is of no use: one line without the end. */
struct reason {
	char text[256];
};
/* Always false, so that a check can end with it. */
bool reason_set(struct reason *reason, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* `format` filled in; ends the program when there is no memory. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* What malloc or its like has returned; ends the program when that is NULL. */
void *memory(void *p);
/* Makes the names in the directory of `path` last. */
bool directory_sync(const char *path);

/* A verb gets its own arguments, as many as its row in main.c says, and returns the exit status. */
int verb_accel(char **arguments);
int verb_tsc_khz(char **arguments);
int verb_pidfd(char **arguments); /* does not return when it works */
int verb_tty(char **arguments);   /* does not return when it works */
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
int verb_notify(char **arguments); /* listens, and goes on in the background */
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
int verb_volume_direct(char **arguments);
int verb_volume_grow(char **arguments);
int verb_aio(char **arguments);

#endif
