/* SPDX-License-Identifier: MIT */
/*
 * custody: which entries of a VM's directory are trusted. The VMs' user makes files there, and may
 * be an attacker who escaped from a guest; root reads and writes in the same directory.
 * templates/host/set-booted.sh is the counterpart and explains the reasons. The rules:
 * - A directory in custody belongs to root (or to the user of this program) and is sticky if others
 *   may write to it. An entry with one of our names counts if it belongs to root or to that user.
 *   Other entries are ignored, and removed when the VM is changed. `booted` is only for
 *   information and may belong to the VMs' user, as with microvm.nix's units; nothing is run
 *   through it.
 * - In a directory that is not in custody, as microvm.nix makes them, every entry counts, until an
 *   action that changes the VM takes the directory into custody.
 * - New files get names that must not exist, writing never follows links, and trees are removed by
 *   descriptor, so that an entry that is put in the way can only make the command fail.
 */
#ifndef MVM_COMPILER_MICROVM_CUSTODY_H
#define MVM_COMPILER_MICROVM_CUSTODY_H

#include <sys/types.h>

#include "compiler/microvm/host.h"

/* Whether the entry exists and counts. */
bool custody_counts(const struct host *host, const char *directory, const char *name);
/* Lets the VMs' group make files in a VM's directory. */
bool custody_open_to_group(const struct host *host, const char *directory);
/*
 * Takes the state directory and a VM's directory into custody, with a warning, and removes entries
 * that do not count. Does nothing if this user may not change the directories.
 */
bool custody_take(const struct host *host, const char *directory);
/* As custody_take, for the state directory alone. */
bool custody_take_state(const struct host *host);
/*
 * Reports an error if others can write to a directory inside a VM's directory, or replace it. The
 * directory need not exist.
 */
bool custody_check(const struct host *host, const char *directory);
/* Whether the directory exists and only we can write to it. */
bool custody_holds(const char *directory);

#endif
