/* SPDX-License-Identifier: MIT */
/*
 * by_hand: VMs that run without their unit, started by `microvm -r` or by bin/microvm-run in the
 * VM's directory, so that systemd does not know them. They are recognised by what a hypervisor
 * cannot hide: its working directory together with an open file of the runner or a KVM guest, a
 * listening socket, or an open or locked disk. Only root sees the open files of other users.
 */
#ifndef MVM_COMPILER_MICROVM_BY_HAND_H
#define MVM_COMPILER_MICROVM_BY_HAND_H

#include <sys/types.h>

#include "compiler/microvm/machine.h"

/* A process that uses a file in the state directory. */
struct worker {
	pid_t pid;
	/* `directory` is its working directory, `path` the open file or the program itself */
	const char *program, *directory, *path;
};

struct workers {
	const char *state_dir; /* without symbolic links, as in /proc */
	VEC(struct worker) found;
};

/* Looks at all processes once. */
void workers_find(const struct host *host, struct workers *workers);
/* The process that runs the VM without its unit; NULL: this user sees none. */
const char *by_hand(
	const struct host *host, const struct workers *workers, const struct machine *machine);
/* A socket in the VM's directory that a process listens on; NULL: there are none. */
const char *socket_in_use(const struct host *host, const struct machine *machine);
/* The user of a file in the VM's directory; NULL: none is known. */
const char *file_user(const struct host *host, const struct workers *workers,
	const struct machine *machine, const char *path);

#endif
