/* SPDX-License-Identifier: MIT */
#include "base/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"

struct run {
	workers_job *job;
	void *context;
	size_t n;
	atomic_size_t next; /* index of the next job */
	atomic_bool failed;
	int error; /* errno of the first job to fail */
};

struct worker {
	struct run *run;
	size_t number;
	pthread_t thread;
};

static void *work(void *argument)
{
	const struct worker *worker = argument;
	struct run *run = worker->run;
	size_t index;
	while (!atomic_load(&run->failed) && (index = atomic_fetch_add(&run->next, 1)) < run->n)
		if (!run->job(run->context, worker->number, index) &&
			!atomic_exchange(&run->failed, true))
			run->error = errno;
	return NULL;
}

bool workers_run(unsigned threads, size_t n, workers_job *job, void *context)
{
	struct run run = {.job = job, .context = context, .n = n};
	const size_t wanted = n < threads ? n : threads;
	struct worker *workers = require_memory(calloc(wanted + 1, sizeof *workers));
	size_t started = 0;
	for (size_t i = 0; i <= wanted; i++)
		workers[i] = (struct worker){.run = &run, .number = i};
	while (started + 1 < wanted &&
		pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0)
		started++;
	work(&workers[started]);
	while (started)
		pthread_join(workers[--started].thread, NULL);
	free(workers);
	errno = run.error;
	return !run.failed;
}
