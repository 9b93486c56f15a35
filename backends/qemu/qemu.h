/* SPDX-License-Identifier: MIT */
/*
 * qemu: declarations shared by the files of this backend; qemu.c has the order of the command line.
 */
#ifndef MVM_BACKENDS_QEMU_QEMU_H
#define MVM_BACKENDS_QEMU_QEMU_H

#include "backends/interface/parts.h"

struct qemu_options {
	struct hypervisor_options common;
	const char *machine;       /* NULL: depends on the architecture */
	struct pairs machine_opts; /* replaces our options if given, but for the accelerator */
	bool serial_console, sandbox;
};

struct qemu {
	struct arena *arena;
	const struct guest *guest;
	struct command *command;
	bool pci; /* virtio devices are on a PCI bus; otherwise they use virtio-mmio */
};

/* The backend's own options. */
const struct qemu_options *qemu_options(const struct guest *guest);
/* The only x86 machine without a PCI bus, unless one is requested. */
bool qemu_is_microvm(const struct guest *guest);
/*
 * Whether the guest may hang because of its memory size: microvm machines with exactly 2048 MiB do,
 * according to users of virtiofs (github.com/microvm-nix/microvm.nix/issues/171).
 */
bool qemu_may_hang(const struct guest *guest);
/* The machine "microvm" has virtio-mmio devices. It has a PCI bus only if a device needs one. */
bool qemu_has_pci(const struct guest *guest);
/* Returns the store disk if it is persistent memory, else NULL. */
const struct disk *qemu_pmem(const struct guest *guest);

/* The requested machine, or the default of the architecture. */
const char *qemu_machine_name(const struct guest *guest);

/* machine.c */
/* QEMU's option parser splits at commas; a doubled comma stands for one. */
const char *qemu_escape(struct arena *arena, const char *text);
/* "pci" or "device", the end of virtio-net-… */
const char *qemu_suffix(const struct qemu *qemu);
bool qemu_is_x86(const struct qemu *qemu);
void qemu_add_machine(const struct qemu *qemu);
bool qemu_check_machine_options(struct diag *diag, const struct vm *vm, const struct qemu *qemu);
bool qemu_merges_memory(const struct qemu *qemu);
void qemu_add_cpu(const struct qemu *qemu);
void qemu_add_memory(const struct qemu *qemu);
void qemu_add_memory_object(const struct qemu *qemu);
void qemu_add_memory_devices(const struct qemu *qemu);
/* limits.c: checks the whole command line */
bool qemu_check_limits(struct diag *diag, const struct vm *vm, const struct qemu *qemu);
/* sandbox.c */
void qemu_add_sandbox(const struct qemu *qemu);
/* network.c */
void qemu_add_interfaces(const struct qemu *qemu);

#endif
