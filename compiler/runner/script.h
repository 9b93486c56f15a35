/* SPDX-License-Identifier: MIT */
/* script: makes a runner's scripts from the embedded templates. */
#ifndef MVM_COMPILER_RUNNER_SCRIPT_H
#define MVM_COMPILER_RUNNER_SCRIPT_H

#include "compiler/plan/plan.h"

/* One file of the runner's bin/. */
struct runner_script {
	const char *name;
	const char *text; /* the whole file */
};

struct runner_scripts {
	struct runner_script *v;
	size_t n, capacity;
};

/*
 * Makes every script of this VM's runner: ours, and the description's binScripts, which replace
 * ours of the same name.
 */
void scripts_make(struct arena *arena, const struct plan *plan, struct runner_scripts *scripts);
/* Each returns a script's whole text, or NULL if this VM has no such script; for scripts_make. */
const char *script_run(struct arena *arena, const struct plan *plan);
const char *script_check(struct arena *arena, const struct plan *plan);
const char *script_tap_up(struct arena *arena, const struct plan *plan);
const char *script_tap_down(struct arena *arena, const struct plan *plan);
const char *script_macvtap_up(struct arena *arena, const struct plan *plan);
const char *script_macvtap_down(struct arena *arena, const struct plan *plan);
const char *script_pci_setup(struct arena *arena, const struct plan *plan);
/* Whether one of binScripts is a part of another script: tap-up.after, virtiofsd-run.before. */
bool script_is_addition(const char *name);
/* Returns the text of one of binScripts, or NULL if it is not given. */
const char *script_addition(const struct plan *plan, const char *name);
const char *script_register(struct arena *arena, const struct plan *plan);
const char *script_unregister(struct arena *arena, const struct plan *plan);
const char *script_virtiofsd(struct arena *arena, const struct plan *plan);
/*
 * Lines of a script that check the VM's requirements with the functions of runner/needs.sh:
 * script_need_stopped, that the VM is not running; script_needs, everything else.
 */
const char *script_need_stopped(struct arena *arena, const struct plan *plan);
const char *script_needs(struct arena *arena, const struct plan *plan);
/* The functions that these lines call. */
const char *script_functions(struct arena *arena, const struct plan *plan);
/*
 * The function need_apart among them, with the directories that it checks; empty if the guest can
 * write to no share.
 */
const char *script_apart(struct arena *arena, const struct plan *plan);
const char *script_protected(struct arena *arena, const struct plan *plan);
/*
 * The call of mvm-host that finds out which I/O engine works on this host; NULL if the hypervisor
 * does not need it.
 */
const char *script_aio(const struct plan *plan);
/* The lines of script_needs for the shares that the hypervisor serves itself. */
const char *script_share_needs(struct arena *arena, const struct plan *plan);
/* A line "FUNCTION 'SOCKET'..." with the sockets of the virtiofsds; empty if there are none. */
const char *script_share_sockets(
	struct arena *arena, const struct plan *plan, const char *function);
/* libexec/mvm-host for macOS. */
const char *script_macos_host(struct arena *arena, const struct plan *plan);

#endif
