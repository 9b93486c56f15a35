/* SPDX-License-Identifier: MIT */
/* loop: the part of the KVM probe that knows the architecture. */
#ifndef MVM_HOST_LOOP_H
#define MVM_HOST_LOOP_H

#include <stdbool.h>

#include "host.h"

/* Runs a loop in that VM and compares its time with this CPU's. */
bool loop_runs_well(int kvm, int vm, struct reason *why);
/* "vmx", "svm", NULL when the CPU has neither. */
const char *cpu_virtualization(void);

#endif
