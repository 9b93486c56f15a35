/* SPDX-License-Identifier: MIT */
/* process: run another program, never through a shell. */
#ifndef MVM_BASE_PROCESS_H
#define MVM_BASE_PROCESS_H

#include <stdbool.h>

#include "base/file.h"

struct arena;

struct process_result {
	/* 128 + signal when a signal ended it; 127 when it could not be started */
	int exit_status;
	struct bytes output, error; /* what it printed, in the arena; `error` is cut at 64 KiB */
};

/*
 * Runs argv[0] (looked up in PATH) with nothing to read and waits. The child dies with us. False,
 * with an error, when it could not be started or waited for; an unsuccessful exit is for the caller
 * to judge.
 */
bool process_run(struct arena *arena, struct diag *diag, const char *const argv[],
	struct process_result *out);
/* The same, but what it says on standard error is seen at once, and `error` is empty. */
bool process_run_shown(struct arena *arena, struct diag *diag, const char *const argv[],
	struct process_result *out);
/* What it complained of, on one line. */
const char *process_complaint(struct arena *arena, const struct process_result *result);

/* A program that runs beside us. */
struct process;

/*
 * Starts it as process_run does; NULL, with an error, when that fails. `argv` lives as long as the
 * process. With `feed` it reads from a pipe whose other end is the caller's.
 */
struct process *process_start(struct diag *diag, const char *const argv[], int *feed);
/*
 * Takes what they print; with `wait` until one has ended. The index of one that has, `n` when there
 * is none.
 */
size_t process_poll(struct process *const v[], size_t n, bool wait);
/* Waits for its end and frees it. */
bool process_end(struct arena *arena, struct diag *diag, struct process *process,
	struct process_result *out);
/* Kills and frees it; NULL is fine. */
void process_kill(struct process *process);

#endif
