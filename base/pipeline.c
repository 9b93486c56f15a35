/* SPDX-License-Identifier: MIT */
#include "base/pipeline.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"

enum { SHORT_JOBS = 8 /* a thread is woken for so many */ };

struct stage {
	void *item;
	bool done;
};

struct worker {
	struct pipeline *pipeline;
	size_t number;
	pthread_t thread;
};

struct pipeline {
	pipeline_job *job;
	void *context;
	size_t capacity;
	struct worker *workers; /* number 0 is the caller's thread */
	size_t nworkers;

	pthread_mutex_t lock; /* guards the rest; only the caller changes the two counts below it */
	pthread_cond_t work, ready;
	size_t submitted, retired;
	size_t started;
	struct stage *ring; /* at count % capacity */
	bool stop;
};

/* Does the next waiting job; called and returns with the lock held. */
static void do_next(struct pipeline *pipeline, size_t worker)
{
	struct stage *stage = &pipeline->ring[pipeline->started++ % pipeline->capacity];
	pthread_mutex_unlock(&pipeline->lock);
	pipeline->job(pipeline->context, worker, stage->item);
	pthread_mutex_lock(&pipeline->lock);
	stage->done = true;
	pthread_cond_signal(&pipeline->ready);
}

static void *work(void *argument)
{
	const struct worker *worker = argument;
	struct pipeline *pipeline = worker->pipeline;
	pthread_mutex_lock(&pipeline->lock);
	while (!pipeline->stop) {
		if (pipeline->started == pipeline->submitted)
			pthread_cond_wait(&pipeline->work, &pipeline->lock);
		else
			do_next(pipeline, worker->number);
	}
	pthread_mutex_unlock(&pipeline->lock);
	return NULL;
}

struct pipeline *pipeline_new(unsigned threads, size_t capacity, pipeline_job *job, void *context)
{
	struct pipeline *pipeline = require_memory(calloc(1, sizeof *pipeline));
	const size_t wanted = threads ? threads : 1;
	pipeline->job = job;
	pipeline->context = context;
	pipeline->capacity = capacity;
	pipeline->ring = require_memory(calloc(capacity, sizeof *pipeline->ring));
	pipeline->workers = require_memory(calloc(wanted, sizeof *pipeline->workers));
	pthread_mutex_init(&pipeline->lock, NULL);
	pthread_cond_init(&pipeline->work, NULL);
	pthread_cond_init(&pipeline->ready, NULL);
	/* Missing threads only cost time. */
	for (pipeline->nworkers = 1; pipeline->nworkers < wanted; pipeline->nworkers++) {
		struct worker *worker = &pipeline->workers[pipeline->nworkers];
		*worker = (struct worker){.pipeline = pipeline, .number = pipeline->nworkers};
		if (pthread_create(&worker->thread, NULL, work, worker) != 0)
			break;
	}
	return pipeline;
}

void pipeline_free(struct pipeline *pipeline)
{
	if (!pipeline)
		return;
	pthread_mutex_lock(&pipeline->lock);
	pipeline->stop = true;
	pthread_cond_broadcast(&pipeline->work);
	pthread_mutex_unlock(&pipeline->lock);
	while (pipeline->nworkers > 1)
		pthread_join(pipeline->workers[--pipeline->nworkers].thread, NULL);
	pthread_cond_destroy(&pipeline->work);
	pthread_cond_destroy(&pipeline->ready);
	pthread_mutex_destroy(&pipeline->lock);
	free(pipeline->workers);
	free(pipeline->ring);
	free(pipeline);
}

size_t pipeline_count(const struct pipeline *pipeline)
{
	return pipeline->submitted - pipeline->retired;
}

void pipeline_submit(struct pipeline *pipeline, void *item, bool is_short)
{
	pthread_mutex_lock(&pipeline->lock);
	pipeline->ring[pipeline->submitted++ % pipeline->capacity] = (struct stage){.item = item};
	const size_t waiting = pipeline->submitted - pipeline->started;
	/* Those that nobody was woken for are done by the caller when it waits. */
	if (!is_short || waiting % SHORT_JOBS == 0)
		pthread_cond_signal(&pipeline->work);
	pthread_mutex_unlock(&pipeline->lock);
}

void *pipeline_retire(struct pipeline *pipeline, bool wait)
{
	void *item = NULL;
	pthread_mutex_lock(&pipeline->lock);
	while (pipeline->retired != pipeline->submitted) {
		const struct stage *oldest =
			&pipeline->ring[pipeline->retired % pipeline->capacity];
		if (oldest->done) {
			item = oldest->item;
			pipeline->retired++;
			break;
		}
		if (!wait)
			break;
		if (pipeline->started != pipeline->submitted)
			do_next(pipeline, 0);
		else
			pthread_cond_wait(&pipeline->ready, &pipeline->lock);
	}
	pthread_mutex_unlock(&pipeline->lock);
	return item;
}
