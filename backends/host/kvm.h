/* SPDX-License-Identifier: MIT */
#ifndef MVM_HOST_KVM_H
#define MVM_HOST_KVM_H

#include <stdbool.h>

/* Why KVM is of no use: one line without the end. */
struct reason {
	char text[256];
};
/* Always false, so that a check can end with it. */
bool reason_set(struct reason *reason, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True when /dev/kvm runs virtual machines, and at the CPU's own speed. */
bool kvm_usable(struct reason *why);

/* The part of it that knows the architecture: runs a loop in that VM and compares its time with this CPU's. */
bool loop_runs_well(int kvm, int vm, struct reason *why);
/* "vmx", "svm", NULL when the CPU has neither. */
const char *cpu_virtualization(void);

#endif
