/* SPDX-License-Identifier: MIT */
#include "imaging/cache/prefetch.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"

enum { AHEAD = 32 /* bounds the number of open files */ };

struct slot {
	struct object object;
	bool found, done;
};

struct prefetch {
	const struct object_cache *cache;
	const struct closure *closure;
	pthread_t *threads;
	unsigned nthreads;

	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t ready, room;
	struct slot slots[AHEAD]; /* path i is in [i % AHEAD] */
	size_t started, taken;    /* numbers of paths */
	bool waits;               /* the caller waits for the next one */
	bool stop;
};

static bool look_up(const struct prefetch *p, size_t index, struct object *out)
{
	const struct object_identity identity = cache_identity(p->cache, &p->closure->v[index]);
	return cache_find(p->cache, &identity, out);
}

static bool has_work(const struct prefetch *p)
{
	return p->started < p->closure->n && p->started < p->taken + AHEAD;
}

static void *work(void *argument)
{
	struct prefetch *p = argument;
	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		if (!has_work(p)) {
			pthread_cond_wait(&p->room, &p->lock);
			continue;
		}
		const size_t index = p->started++;
		struct slot *slot = &p->slots[index % AHEAD];
		slot->done = false;
		pthread_mutex_unlock(&p->lock);
		struct object object;
		const bool found = look_up(p, index, &object);
		pthread_mutex_lock(&p->lock);
		*slot = (struct slot){object, found, true};
		if (p->waits && index == p->taken)
			pthread_cond_signal(&p->ready);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct prefetch *prefetch_new(
	const struct object_cache *cache, const struct closure *closure, unsigned jobs)
{
	struct prefetch *p = require_memory(calloc(1, sizeof *p));
	p->cache = cache;
	p->closure = closure;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->ready, NULL);
	pthread_cond_init(&p->room, NULL);
	p->threads = require_memory(calloc(jobs, sizeof *p->threads));
	/* Missing threads only cost time. */
	while (p->nthreads + 1 < jobs &&
		pthread_create(&p->threads[p->nthreads], NULL, work, p) == 0)
		p->nthreads++;
	return p;
}

void prefetch_free(struct prefetch *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->room);
	pthread_mutex_unlock(&p->lock);
	while (p->nthreads)
		pthread_join(p->threads[--p->nthreads], NULL);
	for (size_t i = p->taken; i < p->started; i++)
		if (p->slots[i % AHEAD].found)
			object_close(&p->slots[i % AHEAD].object);
	pthread_cond_destroy(&p->room);
	pthread_cond_destroy(&p->ready);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p);
}

bool prefetch_take(struct prefetch *p, struct object *out)
{
	pthread_mutex_lock(&p->lock);
	const size_t index = p->taken;
	bool found;
	if (p->started == index) {
		p->started++;
		pthread_mutex_unlock(&p->lock);
		found = look_up(p, index, out);
		pthread_mutex_lock(&p->lock);
	} else {
		const struct slot *slot = &p->slots[index % AHEAD];
		for (p->waits = true; !slot->done;)
			pthread_cond_wait(&p->ready, &p->lock);
		p->waits = false;
		found = slot->found;
		*out = found ? slot->object : (struct object){.fd = -1};
	}
	p->taken++;
	/* Not after each path, because waking threads for little work is expensive. */
	if (p->taken % (AHEAD / 2) == 0)
		pthread_cond_broadcast(&p->room);
	pthread_mutex_unlock(&p->lock);
	return found;
}
