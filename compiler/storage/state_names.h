/* SPDX-License-Identifier: MIT */
/* state_names: reserved names in a VM's directory. */
#ifndef MVM_COMPILER_STORAGE_STATE_NAMES_H
#define MVM_COMPILER_STORAGE_STATE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Names used by `microvm` and install-host. */
#define STATE_REMOVING ".removing" /* exists during a removal; it is the former `current` */
#define STATE_RUNNERS "runners"
/*
 * Name used by mvm-host: an image is created under this prefix and six letters, beside its final
 * path (backends/runtime/volume/create.c).
 */
#define STATE_NEW_IMAGE ".mvm-new-"

/* The reserved names; ends with NULL. */
extern const char *const state_own_names[];
/*
 * Whether a name (without a slash) is used by `microvm`, install-host or mvm-host, or is the
 * temporary name of such a file: links are replaced by way of ".NAME.new", files by way of
 * "NAME.new-PROCESS", images by way of ".mvm-new-XXXXXX".
 */
bool state_name_is_ours(const char *name, size_t length);

#endif
