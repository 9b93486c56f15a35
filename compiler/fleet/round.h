/* SPDX-License-Identifier: MIT */
/* round: something that is made for each of some VMs, by several threads. */
#ifndef MVM_COMPILER_FLEET_ROUND_H
#define MVM_COMPILER_FLEET_ROUND_H

#include "compiler/fleet/fleet.h"

struct fleet_round {
	const struct fleet *fleet;
	const size_t *vms; /* numbers of the VMs; NULL: of the first `n` */
	size_t n;
	/*
	 * Called by several threads at once. `arena` ends with the call; what goes wrong is told in
	 * `diag`.
	 */
	bool (*make)(
		void *context, const struct fleet_vm *vm, struct arena *arena, struct diag *diag);
	void *context;
};

/*
 * After a failure no further one is begun. What went wrong is told with the VMs' names, in the
 * host's order. `threads`: at least 1.
 */
bool fleet_round_run(struct session *session, const struct fleet_round *round, unsigned threads);

#endif
