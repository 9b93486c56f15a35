/* SPDX-License-Identifier: MIT */
/* speed: the part of the KVM probe that knows the architecture. */
#ifndef MVM_BACKENDS_RUNTIME_KVM_SPEED_H
#define MVM_BACKENDS_RUNTIME_KVM_SPEED_H

#include <stdbool.h>

#include "backends/runtime/base/runtime.h"

/* Runs a loop in that VM and compares its time with this CPU's. */
bool loop_runs_well(int kvm, int vm, struct reason *why);
/* "vmx", "svm", NULL when the CPU has neither. */
const char *cpu_virtualization(void);

#endif
