/* SPDX-License-Identifier: MIT */
/* round: runs a function for several VMs in parallel. */
#ifndef MVM_COMPILER_FLEET_ROUND_H
#define MVM_COMPILER_FLEET_ROUND_H

#include "compiler/fleet/fleet.h"

struct fleet_round {
	const struct fleet *fleet;
	const size_t *vms; /* indices of the VMs; NULL: the first `n` */
	size_t n;
	/*
	 * Called by several threads at once. `arena` is freed after the call; errors go to `diag`.
	 */
	bool (*make)(
		void *context, const struct fleet_vm *vm, struct arena *arena, struct diag *diag);
	void *context;
};

/*
 * Starts no further VM after a failure. Errors are reported with the VMs' names, in the host's
 * order. `threads` is at least 1.
 */
bool fleet_round_run(struct session *session, const struct fleet_round *round, unsigned threads);

#endif
