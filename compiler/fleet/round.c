/* SPDX-License-Identifier: MIT */
#include "compiler/fleet/round.h"

#include <pthread.h>
#include <stdatomic.h>

struct worker {
	const struct fleet_round *round;
	struct diag **said; /* one for each VM */
	atomic_size_t next; /* index of the next VM */
	atomic_bool failed;
};

static const struct fleet_vm *vm_at(const struct fleet_round *round, size_t i)
{
	return &round->fleet->vms.v[round->vms ? round->vms[i] : i];
}

/* Arenas and diagnostics are not thread-safe: each VM gets its own. */
static void *make_some(void *context)
{
	struct worker *worker = context;
	const struct fleet_round *round = worker->round;
	for (size_t i; (i = atomic_fetch_add(&worker->next, 1)) < round->n &&
		!atomic_load(&worker->failed);) {
		struct arena *arena = arena_new();
		if (!round->make(round->context, vm_at(round, i), arena, worker->said[i]))
			atomic_store(&worker->failed, true);
		arena_free(arena);
	}
	return NULL;
}

static bool collect(struct session *session, const struct worker *worker)
{
	for (size_t i = 0; i < worker->round->n; i++) {
		const char *text = diag_summary(session->arena, worker->said[i]);
		if (text)
			diag_error(session->diag, diag_status(worker->said[i]), NULL, "vm-failed",
				"%s: %s", vm_at(worker->round, i)->name, text);
	}
	return !atomic_load(&worker->failed);
}

bool fleet_round_run(struct session *session, const struct fleet_round *round, unsigned threads)
{
	struct arena *arena = arena_new(),
		     **arenas = arena_alloc(arena, (round->n + 1) * sizeof *arenas);
	struct worker worker = {
		.round = round, .said = arena_alloc(arena, (round->n + 1) * sizeof *worker.said)};
	for (size_t i = 0; i < round->n; i++)
		worker.said[i] = diag_new(arenas[i] = arena_new());
	pthread_t *ids = arena_alloc(arena, threads * sizeof *ids);
	unsigned begun = 0;
	while (begun + 1 < threads && begun + 1 < round->n &&
		pthread_create(&ids[begun], NULL, make_some, &worker) == 0)
		begun++;
	make_some(&worker);
	while (begun)
		pthread_join(ids[--begun], NULL);
	bool ok = collect(session, &worker);
	for (size_t i = 0; i < round->n; i++)
		arena_free(arenas[i]);
	arena_free(arena);
	return ok;
}
