/* SPDX-License-Identifier: MIT */
/* machine: a VM's directory, which has the link `current`. */
#ifndef MVM_COMPILER_MICROVM_MACHINE_H
#define MVM_COMPILER_MICROVM_MACHINE_H

#include "compiler/microvm/host.h"
#include "compiler/storage/state_names.h"

struct machine {
	const char *name;
	const char *directory; /* absolute */
	/* the targets of the links; NULL: there is no link that counts (custody.h) */
	const char *current, *booted, *old;
	/* keeps another `microvm` out; -1: not locked */
	int lock;
};

/* Reports an error if the name cannot be used for files, units and roots. */
bool machine_name_check(struct diag *diag, const char *name);
/* Fills a machine from its name, whether it is a VM or not. Locks nothing. */
void machine_find(const struct host *host, const char *name, struct machine *machine);
/* Reads its links again. */
void machine_read_links(const struct host *host, struct machine *machine);
/* Whether there is a VM, ours or one that the host's configuration declares. */
bool machine_is_vm(const struct host *host, const struct machine *machine);
/* Reports that there is no such VM; returns false. */
bool machine_is_missing(const struct host *host, const struct machine *machine);
/* As machine_find, for a VM that must exist. */
bool machine_get(const struct host *host, const char *name, struct machine *machine);
/* As machine_get, and locks the VM until machine_close and takes its directory into custody. */
bool machine_open(const struct host *host, const char *name, struct machine *machine);
/* Waits for the lock of its directory, takes it into custody, and reads its links again. */
bool machine_lock(const struct host *host, struct machine *machine);
void machine_close(struct machine *machine);
#define MACHINE_CLEANUP __attribute__((cleanup(machine_close)))

/* The path of a file in its directory. */
const char *machine_path(const struct host *host, const struct machine *machine, const char *name);
/* The path of a runner below it, which is the target of the link `current`. */
#define RUNNERS STATE_RUNNERS
const char *runner_place(struct arena *arena, const char *fingerprint);
/* The names of all VMs, sorted so that vm2 precedes vm10. */
bool machines_find(const struct host *host, struct strings *names);

#endif
