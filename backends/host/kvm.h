/* SPDX-License-Identifier: MIT */
#ifndef MVM_HOST_KVM_H
#define MVM_HOST_KVM_H

#include <stdbool.h>

#include "host.h"

/* True when /dev/kvm runs virtual machines, and at the CPU's own speed. */
bool kvm_usable(struct reason *why);

#endif
