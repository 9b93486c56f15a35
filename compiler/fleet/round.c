/* SPDX-License-Identifier: MIT */
#include "compiler/fleet/round.h"

#include "base/workers.h"

struct run {
	const struct fleet_round *round;
	struct diag **said; /* one for each VM */
};

static const struct fleet_vm *vm_at(const struct fleet_round *round, size_t i)
{
	return &round->fleet->vms.v[round->vms ? round->vms[i] : i];
}

/* Arenas and diagnostics are not thread-safe: each VM gets its own. */
static bool make_one(void *context, size_t worker, size_t index)
{
	(void)worker;
	const struct run *run = context;
	const struct fleet_round *round = run->round;
	struct arena *arena = arena_new();
	const bool ok = round->make(round->context, vm_at(round, index), arena, run->said[index]);
	arena_free(arena);
	return ok;
}

static void collect(struct session *session, const struct run *run)
{
	for (size_t i = 0; i < run->round->n; i++) {
		const char *text = diag_summary(session->arena, run->said[i]);
		if (text)
			diag_error(session->diag, diag_status(run->said[i]), NULL, "vm-failed",
				"%s: %s", vm_at(run->round, i)->name, text);
	}
}

bool fleet_round_run(struct session *session, const struct fleet_round *round, unsigned threads)
{
	struct arena *arena = arena_new(),
		     **arenas = arena_alloc(arena, (round->n + 1) * sizeof *arenas);
	struct run run = {
		.round = round, .said = arena_alloc(arena, (round->n + 1) * sizeof *run.said)};
	for (size_t i = 0; i < round->n; i++)
		run.said[i] = diag_new(arenas[i] = arena_new());
	const bool ok = workers_run(threads, round->n, make_one, &run);
	collect(session, &run);
	for (size_t i = 0; i < round->n; i++)
		arena_free(arenas[i]);
	arena_free(arena);
	return ok;
}
