/* SPDX-License-Identifier: MIT */
/* workers: do the jobs of a list on several threads, of which the caller's is one. */
#ifndef MVM_BASE_WORKERS_H
#define MVM_BASE_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Does the job at `index`. `worker` is the number of the thread, for memory that only one job at a
 * time may use. False: the job failed.
 */
typedef bool workers_job(void *context, size_t worker, size_t index);

/*
 * Does the jobs 0 to n - 1, each once, and returns when all threads have ended. The numbers of the
 * workers are below `threads`. If a thread cannot be started, fewer threads do all jobs.
 *
 * After a failure no further job begins, and the result is false, with errno as the first job to
 * fail left it. Jobs begin in order, so all jobs before one that fails are done: the failure with
 * the lowest index does not depend on timing.
 */
bool workers_run(unsigned threads, size_t n, workers_job *job, void *context);

#endif
