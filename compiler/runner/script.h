/* SPDX-License-Identifier: MIT */
/* script: a runner's scripts, from the templates carried in the program. */
#ifndef MVM_COMPILER_RUNNER_SCRIPT_H
#define MVM_COMPILER_RUNNER_SCRIPT_H

#include "compiler/plan/plan.h"

/* One file of the runner's bin/. */
struct runner_script {
	const char *name;
	const char *text; /* whole */
};

struct runner_scripts {
	struct runner_script *v;
	size_t n, capacity;
};

/*
 * Every script of this VM's runner: its own, and the description's binScripts, which go before
 * ours.
 */
void scripts_make(struct arena *arena, const struct plan *plan, struct runner_scripts *scripts);
/* The whole text of each, NULL when this VM has no such script: for scripts_make. */
const char *script_run(struct arena *arena, const struct plan *plan);
const char *script_check(struct arena *arena, const struct plan *plan);
const char *script_tap_up(struct arena *arena, const struct plan *plan);
const char *script_tap_down(struct arena *arena, const struct plan *plan);
const char *script_macvtap_up(struct arena *arena, const struct plan *plan);
const char *script_macvtap_down(struct arena *arena, const struct plan *plan);
const char *script_pci_setup(struct arena *arena, const struct plan *plan);
const char *script_register(struct arena *arena, const struct plan *plan);
const char *script_unregister(struct arena *arena, const struct plan *plan);
const char *script_virtiofsd(struct arena *arena, const struct plan *plan);
/*
 * Lines that find out what is missing or wrong, by the functions of runner/needs.sh: that the VM
 * does not run; all the rest.
 */
const char *script_need_stopped(struct arena *arena, const struct plan *plan);
const char *script_needs(struct arena *arena, const struct plan *plan);
/* The functions that those lines call. */
const char *script_functions(struct arena *arena, const struct plan *plan);
/*
 * Of these functions need_apart, with the places that it asks for; empty when the guest cannot
 * write to any share.
 */
const char *script_apart(struct arena *arena, const struct plan *plan);
/*
 * mvm-host's question how disks can be read and written here; NULL when the hypervisor does not
 * have to know.
 */
const char *script_aio(const struct plan *plan);
/* Of the lines of script_needs those for each share that the hypervisor serves by itself. */
const char *script_share_needs(struct arena *arena, const struct plan *plan);
/* A line "FUNCTION 'SOCKET'..." with those of the virtiofsds; empty when there are none. */
const char *script_share_sockets(
	struct arena *arena, const struct plan *plan, const char *function);
/* libexec/mvm-host for a Mac. */
const char *script_macos_host(struct arena *arena, const struct plan *plan);

#endif
