/* SPDX-License-Identifier: MIT */
/* speed: the architecture-dependent part of the KVM probe. */
#ifndef MVM_BACKENDS_RUNTIME_KVM_SPEED_H
#define MVM_BACKENDS_RUNTIME_KVM_SPEED_H

#include <stdbool.h>

#include "backends/runtime/base/runtime.h"

/* Runs a loop in that VM and compares its time with the CPU's own. */
bool loop_runs_well(int kvm, int vm, struct reason *why);
/* Returns "vmx" or "svm"; NULL if the CPU has neither. */
const char *cpu_virtualization(void);

#endif
