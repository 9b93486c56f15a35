/* SPDX-License-Identifier: MIT */
/* machine: a VM's directory. It is a VM's when it has the link `current`. */
#ifndef MVM_COMPILER_MICROVM_MACHINE_H
#define MVM_COMPILER_MICROVM_MACHINE_H

#include "compiler/microvm/host.h"
#include "compiler/storage/state_names.h"

struct machine {
	const char *name;
	const char *directory; /* absolute */
	/* what the links name; NULL: there is none that counts (custody.h) */
	const char *current, *booted, *old;
	/* against another `microvm` at work on it; -1: not taken */
	int lock;
};

/* Whether it can name a VM: in file names, units and roots. An error tells what is wrong. */
bool machine_name_check(struct diag *diag, const char *name);
/* Fills a machine from its name, whether it is a VM or not; nothing is locked. */
void machine_find(const struct host *host, const char *name, struct machine *machine);
/* Reads its links anew. */
void machine_read_links(const struct host *host, struct machine *machine);
/* Whether there is a VM: one of ours, or one that the host declares. */
bool machine_is_vm(const struct host *host, const struct machine *machine);
/* The error that there is none; false. */
bool machine_is_missing(const struct host *host, const struct machine *machine);
/* The same for a VM that must be there. */
bool machine_get(const struct host *host, const char *name, struct machine *machine);
/*
 * The same for one that is to be changed: it is taken into custody, and locked until machine_close.
 */
bool machine_open(const struct host *host, const char *name, struct machine *machine);
/*
 * Locks its directory, when another one has finished with it, takes it into custody, and reads its
 * links anew.
 */
bool machine_lock(const struct host *host, struct machine *machine);
void machine_close(struct machine *machine);
#define MACHINE_CLEANUP __attribute__((cleanup(machine_close)))

/* A file in its directory. */
const char *machine_path(const struct host *host, const struct machine *machine, const char *name);
/* The place of a runner in it, as the link `current` has it. */
#define RUNNERS STATE_RUNNERS
const char *runner_place(struct arena *arena, const char *fingerprint);
/* The names of all VMs, sorted. */
bool machines_find(const struct host *host, struct strings *names);

#endif
