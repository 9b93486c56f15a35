/* SPDX-License-Identifier: MIT */
/* qemu: what the files of this backend share; qemu.c has the command line in its order. */
#ifndef MVM_BACKENDS_QEMU_QEMU_H
#define MVM_BACKENDS_QEMU_QEMU_H

#include "backends/interface/parts.h"

struct qemu_options {
	struct hypervisor_options common;
	const char *machine;       /* NULL: by architecture */
	struct pairs machine_opts; /* replaces ours when given */
	bool serial_console;
};

struct qemu {
	struct arena *arena;
	const struct guest *guest;
	struct command *command;
	bool pci; /* virtio devices are on a PCI bus, else virtio-mmio */
};

/* Its own options. */
const struct qemu_options *qemu_options(const struct guest *guest);
/* The only x86 machine without a PCI bus, unless it is asked for one. */
bool qemu_is_microvm(const struct guest *guest);
/*
 * The machine "microvm" has virtio-mmio devices, and a PCI bus only for what does not work without
 * one.
 */
bool qemu_has_pci(const struct guest *guest);

/* Its machine: the one that is asked for, or that of the architecture. */
const char *qemu_machine_name(const struct guest *guest);

/* machine.c */
/* QEMU's option parser splits at commas; two of them are one. */
const char *qemu_escape(struct arena *arena, const char *text);
/* "pci" or "device", of virtio-net-… */
const char *qemu_suffix(const struct qemu *qemu);
bool qemu_is_x86(const struct qemu *qemu);
void qemu_add_machine(const struct qemu *qemu);
void qemu_add_cpu(const struct qemu *qemu);
void qemu_add_memory(const struct qemu *qemu);
void qemu_add_memory_object(const struct qemu *qemu);
void qemu_add_memory_devices(const struct qemu *qemu);
/* limits.c: of the whole command line */
bool qemu_check_limits(struct diag *diag, const struct vm *vm, const struct qemu *qemu);
/* sandbox.c */
void qemu_add_sandbox(const struct qemu *qemu);
/* network.c */
void qemu_add_interfaces(const struct qemu *qemu);

#endif
