/* SPDX-License-Identifier: MIT */
/* disks: builds the store disks of a host's VMs. */
#ifndef MVM_COMPILER_FLEET_DISKS_H
#define MVM_COMPILER_FLEET_DISKS_H

#include "compiler/fleet/fleet.h"
#include "compiler/images/images.h"
#include "compiler/session/progress.h"

struct fleet_disks {
	const struct fleet *fleet;
	const char *old;       /* the existing output, unmodified; NULL if there is none */
	const char *directory; /* the staging directory */
	const struct image_settings *settings;
	struct progress *progress;
};

/* Builds each distinct disk once. */
bool fleet_disks_make(struct session *session, const struct fleet_disks *disks);
/* Returns the path of the disk with this key. */
const char *fleet_disk_path(struct arena *arena, const char *directory, const char *key);

#endif
