/* SPDX-License-Identifier: MIT */
/*
 * pipeline: does jobs on several threads, of which the caller's is one, and returns them in the
 * order in which they were submitted. Only one thread calls these functions.
 */
#ifndef MVM_BASE_PIPELINE_H
#define MVM_BASE_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>

struct pipeline;

/* `worker` is the number of the thread, for memory that only one job at a time may use. */
typedef void pipeline_job(void *context, size_t worker, void *item);

/*
 * `threads` altogether; the caller's does jobs while it waits. The numbers of the workers are below
 * `threads`. At most `capacity` items may be under way.
 */
struct pipeline *pipeline_new(unsigned threads, size_t capacity, pipeline_job *job, void *context);
/* Waits for the jobs that have begun, and forgets the others. */
void pipeline_free(struct pipeline *pipeline);

/* Returns the number of items that are under way: submitted and not retired. */
size_t pipeline_count(const struct pipeline *pipeline);
/*
 * Fewer than `capacity` items are under way. If a job takes less time than it takes to wake a
 * thread, pass true for `is_short`: then a thread is only woken for several of them.
 */
void pipeline_submit(struct pipeline *pipeline, void *item, bool is_short);
/*
 * Returns the item that was submitted first, once its job is done; NULL if none is under way, or
 * (without `wait`) it is not ready.
 */
void *pipeline_retire(struct pipeline *pipeline, bool wait);

#endif
