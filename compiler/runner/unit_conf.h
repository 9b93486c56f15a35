/* SPDX-License-Identifier: MIT */
/*
 * unit_conf: settings of the VM for its unit (templates/systemd/microvm@.service.in), which by
 * itself sees nothing of the host but programs, the VM's state directory and the usual devices.
 * set-booted gives them to systemd before the unit starts.
 */
#ifndef MVM_COMPILER_RUNNER_UNIT_CONF_H
#define MVM_COMPILER_RUNNER_UNIT_CONF_H

#include "compiler/plan/plan.h"

/*
 * Returns the text of a drop-in (systemd.unit(5)), which is the runner's share/microvm/unit.conf.
 * "": the VM needs none; NULL: no file, which lifts the confinement.
 */
const char *unit_conf(struct arena *arena, const struct plan *plan);

#endif
