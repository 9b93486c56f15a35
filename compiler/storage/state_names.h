/* SPDX-License-Identifier: MIT */
/* state_names: the names that are ours in a VM's directory, whoever puts something there. */
#ifndef MVM_COMPILER_STORAGE_STATE_NAMES_H
#define MVM_COMPILER_STORAGE_STATE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Of `microvm` and install-host. */
#define STATE_REMOVING \
	".removing" /* there while a removal is under way; it is what `current` was */
#define STATE_RUNNERS "runners"
/*
 * Of mvm-host: an image is made under this and six letters, beside its place
 * (backends/runtime/volume/create.c).
 */
#define STATE_NEW_IMAGE ".mvm-new-"

/* The names themselves; NULL at the end. */
extern const char *const state_own_names[];
/*
 * Whether a name (without a slash) is that of something that `microvm`, install-host or mvm-host
 * make, or of what becomes such a thing: links change by way of ".NAME.new", files by way of
 * "NAME.new-PROCESS", images by way of ".mvm-new-XXXXXX".
 */
bool state_name_is_ours(const char *name, size_t length);

#endif
