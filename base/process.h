/* SPDX-License-Identifier: MIT */
/* process: runs another program, never through a shell. */
#ifndef MVM_BASE_PROCESS_H
#define MVM_BASE_PROCESS_H

#include <stdbool.h>

#include "base/file.h"

struct arena;

struct process_result {
	/* 128 + signal if a signal ended it; 127 if it could not be started */
	int exit_status;
	struct bytes output, error; /* its output, in the arena; `error` is cut at 64 KiB */
};

/*
 * Runs argv[0] (looked up in PATH) with /dev/null as standard input, and waits. The child dies with
 * us. False with an error if it could not be started or waited for; the caller judges the exit
 * status.
 */
bool process_run(struct arena *arena, struct diag *diag, const char *const argv[],
	struct process_result *out);
/* As process_run, but its standard error goes to ours, and `error` is empty. */
bool process_run_shown(struct arena *arena, struct diag *diag, const char *const argv[],
	struct process_result *out);
/* Returns its standard error on one line. */
const char *process_complaint(struct arena *arena, const struct process_result *result);

/* A program that runs beside us. */
struct process;

/*
 * Starts a program as process_run does; NULL with an error if that fails. `argv` must live as long
 * as the process. With `feed` it reads from a pipe, and the caller owns the other end.
 */
struct process *process_start(struct diag *diag, const char *const argv[], int *feed);
/*
 * Reads their output until one has ended, for at most `milliseconds`; -1: without a limit. Returns
 * the index of one that has ended, else `n`.
 */
size_t process_poll(struct process *const v[], size_t n, int milliseconds);
/* The bytes that it has read from files and pipes so far; 0 if the kernel does not report them. */
uint64_t process_read_bytes(const struct process *process);
/* Waits for its end and frees it. */
bool process_end(struct arena *arena, struct diag *diag, struct process *process,
	struct process_result *out);
/* Kills and frees it; NULL is fine. */
void process_kill(struct process *process);

#endif
