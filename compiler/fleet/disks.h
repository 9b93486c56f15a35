/* SPDX-License-Identifier: MIT */
/* disks: the store disks of a host's VMs. */
#ifndef MVM_COMPILER_FLEET_DISKS_H
#define MVM_COMPILER_FLEET_DISKS_H

#include "compiler/fleet/fleet.h"
#include "compiler/images/images.h"
#include "compiler/session/progress.h"

struct fleet_disks {
	const struct fleet *fleet;
	const char *old;       /* what is there, as it was built; NULL: nothing */
	const char *directory; /* the one being made */
	const struct image_settings *settings;
	struct progress *progress;
};

/* Makes each different disk once. */
bool fleet_disks_make(struct session *session, const struct fleet_disks *disks);
/* Where that of a VM with this key is. */
const char *fleet_disk_path(struct arena *arena, const char *directory, const char *key);

#endif
