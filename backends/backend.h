/* SPDX-License-Identifier: MIT */
/* backend: what each hypervisor can do, as data, and how it is started. Backends do not print, run or write anything. */
#ifndef MVM_BACKEND_H
#define MVM_BACKEND_H

#include <stdbool.h>

#include "backends/command.h"
#include "compiler/base/diag.h"
#include "compiler/vm.h"
#include "imaging/kernel.h"
#include "imaging/modules.h"

/* A disk of the guest, in the order in which the guest sees them. */
struct disk {
	const char *id;                /* "store", "vdb" */
	const char *serial;            /* by which the guest finds it */
	struct file_ref file;
	const char *format;            /* "raw", "qcow2", … */
	bool read_only, direct;
	const struct volume *volume;   /* NULL: the store disk */
};

/* What a backend is given: the description and what the planner made of it. */
struct guest {
	const struct vm *vm;
	enum kernel_arch arch;
	struct file_ref kernel, initrd;
	const char *parameters;        /* kernel parameters but for the console */
	struct disk *disks;
	size_t ndisks;
};

/* What a backend answers. */
struct lowered {
	struct command command;
	struct strings shutdown;       /* arguments of mvm-host that stop the VM; empty: it cannot be stopped from outside */
	struct strings balloon;        /* arguments of mvm-host before the wanted size in MiB; empty: it has no balloon */
	bool tap_multi_queue;          /* taps must be made with multi_queue */
	bool falls_back_to_tcg;        /* arguments differ by accelerator, found out at the start */
};

enum feature {
	FEATURE_USER_NETWORK,
	FEATURE_FORWARD_PORTS,
	FEATURE_CPU,
	FEATURE_BALLOON,
	FEATURE_HOTPLUG_MEMORY,
	FEATURE_MACHINE_ID,
	FEATURE_CREDENTIALS,
	FEATURE_SOCKET,
	FEATURE_USER,
	FEATURE_DIRECT,
	FEATURE_IMAGE_TYPES,
	FEATURE_COUNT,
};

struct capability {
	enum { CAN_NOT, CAN, CAN_WHEN } can;
	const char *condition;         /* CAN_WHEN: "with machine q35" */
	bool (*holds)(const struct vm *vm); /* CAN_WHEN */
};

struct backend {
	const char *name;
	const char *doc;               /* one line for the table of hypervisors */
	const char *tested;            /* how its runners were tested */
	struct capability capabilities[FEATURE_COUNT];
	/* Modules that the guest needs for this hypervisor's devices. */
	void (*modules)(struct arena *arena, const struct guest *guest, struct module_wish **wishes, size_t *count);
	void (*lower)(struct arena *arena, const struct guest *guest, struct lowered *out);
};

/* In the order of the tables; NULL ends it. */
extern const struct backend *const backends[];
/* NULL when there is none of that name. */
const struct backend *backend_find(const char *name);
/* What a feature is called: "port forwarding". */
const char *feature_name(enum feature feature);

#endif
