/* SPDX-License-Identifier: MIT */
/*
 * by_hand: VMs that run without their unit: by `microvm -r`, or by bin/microvm-run in the VM's
 * directory. systemd does not know them. They are known by what a hypervisor cannot hide: its
 * working directory with a file of the runner or a guest of KVM open, a socket that listens, a disk
 * that is open or locked. Of other users' processes only root sees what they have open.
 */
#ifndef MVM_COMPILER_MICROVM_BY_HAND_H
#define MVM_COMPILER_MICROVM_BY_HAND_H

#include <sys/types.h>

#include "compiler/microvm/machine.h"

/* A process has something in the state directory open. */
struct worker {
	pid_t pid;
	/* its working directory; what is open, or the program itself */
	const char *program, *directory, *path;
};

struct workers {
	const char *state_dir; /* without links, as /proc has it */
	VEC(struct worker) found;
};

/* One look at all processes. */
void workers_find(const struct host *host, struct workers *workers);
/*
 * The process that runs the VM, and is not its unit's; NULL: there is none, as far as this user can
 * see.
 */
const char *by_hand(
	const struct host *host, const struct workers *workers, const struct machine *machine);
/* Which socket in the VM's directory somebody listens on; NULL: none. */
const char *socket_in_use(const struct host *host, const struct machine *machine);
/* Who uses a file in the VM's directory; NULL: nobody that is known. */
const char *file_user(const struct host *host, const struct workers *workers,
	const struct machine *machine, const char *path);

#endif
