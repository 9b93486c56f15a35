/* SPDX-License-Identifier: MIT */
#ifndef MVM_BACKENDS_RUNTIME_KVM_KVM_H
#define MVM_BACKENDS_RUNTIME_KVM_KVM_H

#include <stdbool.h>

#include "backends/runtime/base/runtime.h"

/* Whether /dev/kvm runs virtual machines at the CPU's own speed. */
bool kvm_usable(struct reason *why);

#endif
