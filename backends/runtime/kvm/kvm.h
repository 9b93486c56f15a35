/* SPDX-License-Identifier: MIT */
#ifndef MVM_BACKENDS_RUNTIME_KVM_KVM_H
#define MVM_BACKENDS_RUNTIME_KVM_KVM_H

#include <stdbool.h>

#include "backends/runtime/base/runtime.h"

/* True when /dev/kvm runs virtual machines, and at the CPU's own speed. */
bool kvm_usable(struct reason *why);

#endif
