/* SPDX-License-Identifier: MIT */
/* nixos: what NixOS expects of a first stage. */
#ifndef MVM_IMAGING_GUEST_INIT_NIXOS_H
#define MVM_IMAGING_GUEST_INIT_NIXOS_H

#include "imaging/guest/init/parameters.h"

/* Creates /etc/NIXOS, by which NixOS's activation and tools recognize NixOS. */
void nixos_mark(void);
/*
 * Runs the program prepare-root of the system that `init` belongs to, if it has one. A NixOS with
 * systemd in its initrd (boot.initrd.systemd.enable) has systemd itself as its init, so its second
 * stage is this program, which the initrd runs before systemd. Its failure ends the VM.
 */
void nixos_prepare_root(const struct parameters *parameters, const char *init);

#endif
