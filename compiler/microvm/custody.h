/* SPDX-License-Identifier: MIT */
/*
 * custody: which entries of a VM's directory count. The VMs' user, who may be somebody that escaped
 * from a guest, makes files there, and root reads and writes beside them:
 * templates/host/set-booted.sh has the whole argument, and is the other side of this. Here:
 * - A directory in custody is root's (or of whoever runs this), and sticky where others may write.
 *   In it an entry with one of our names counts when it
 *   is root's or one's own; what somebody else put there is as if it were not there, and goes when
 *   the VM is changed. `booted` is for information, and
 *   may be the VMs' user's: the reference's units make it so. Nothing is run through it.
 * - In one that is not, as the reference makes them, everything counts as it does for the
 *   reference, until a change takes it into custody.
 * - Files are made under names that must not exist, links are never followed when something is
 *   written, and trees are removed by descriptors: what is
 *   put in the way meanwhile makes the command fail, no more.
 */
#ifndef MVM_COMPILER_MICROVM_CUSTODY_H
#define MVM_COMPILER_MICROVM_CUSTODY_H

#include <sys/types.h>

#include "compiler/microvm/host.h"

/* Whether there is such an entry, and it counts. */
bool custody_counts(const struct host *host, const char *directory, const char *name);
/* A VM's directory, new or as it is, for the VMs' group to make files in. */
bool custody_open_to_group(const struct host *host, const char *directory);
/*
 * Takes the state directory and a VM's in it into custody, and says so; what does not count goes.
 * Somebody who may not change it leaves it.
 */
bool custody_take(const struct host *host, const char *directory);
/* The state directory alone. */
bool custody_take_state(const struct host *host);
/*
 * That nobody else can put anything into a directory in a VM's, nor another one in its place, if it
 * is there; an error otherwise.
 */
bool custody_check(const struct host *host, const char *directory);
/* The same, and that it is there: what is looked up in it from now on is ours. */
bool custody_holds(const char *directory);

#endif
