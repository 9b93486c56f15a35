/* SPDX-License-Identifier: MIT */
/*
 * backend: what each hypervisor can do, as data, and how it is started. Backends do not print, run,
 * quote or write anything.
 */
#ifndef MVM_BACKENDS_INTERFACE_BACKEND_H
#define MVM_BACKENDS_INTERFACE_BACKEND_H

#include <stdbool.h>

#include "backends/interface/command.h"
#include "backends/interface/vm.h"
#include "base/diag.h"
#include "imaging/kernel/kernel.h"
#include "imaging/modules/modules.h"

/* A disk of the guest, in the order in which the guest sees them. */
struct disk {
	const char *id;     /* "store", "vdb" */
	const char *serial; /* by which the guest finds it */
	struct file_ref file;
	const char *format; /* "raw", "qcow2", … */
	bool read_only, direct;
	const struct volume *volume; /* NULL: the store disk */
};

/*
 * A network interface. The runner opens a macvtap's device once for each queue, unless the backend
 * opens it by its name.
 */
struct nic {
	const struct interface *interface;
	/* of a macvtap, open when the hypervisor starts; as many as `queues`. Else NULL */
	const int *fds;
	unsigned queues;
};

/* What a backend is given: the description and what the planner made of it. */
struct guest {
	const struct vm *vm;
	enum kernel_arch arch;
	bool foreign; /* `arch` is not the host's */
	struct file_ref kernel, initrd;
	/* kernel parameters but for the console and the way to reboot */
	const char *parameters;
	const struct disk *disks;
	size_t ndisks;
	const struct nic *nics;
	size_t nnics;
	/* the description's shares, then those that follow from other options */
	const struct share *const *shares;
	size_t nshares;
};

/* A program that serves the hypervisor and ends with it. It is ready when its socket is there. */
struct companion {
	struct command command; /* without arguments: there is none */
	const char *socket;
};

/*
 * What the hypervisor, or the runner for it, makes in the state directory without an option that
 * names it.
 */
struct made_file {
	const char *path, *what;
	bool vsock; /* a socket beside which there are PATH_PORT */
};

struct made_files {
	struct made_file *v;
	size_t n, capacity;
};

/* What a backend answers. */
struct lowered {
	struct command command;
	struct companion companion;
	/* where mvm-host listens to the guest's systemd; NULL: nowhere */
	const char *notify;
	struct strings directories; /* made before the start */
	/* an empty directory of the runner that it needs, relative to that; NULL: none */
	const char *empty;
	/* its control files lie below $HOME, which is the state directory for it */
	bool home;
	/*
	 * characters that no path in its arguments can have, the runner's neither; NULL: there are
	 * none
	 */
	const char *unquotable;
	bool terminal; /* it starts only when its standard input is a terminal */
	/* written into the state directory before the start; name NULL: none */
	struct document config;
	/*
	 * arguments of mvm-host before the seconds that the guest may take; empty: it cannot be
	 * stopped from outside
	 */
	struct strings shutdown;
	/* arguments of mvm-host that tell whether the VM is paused; empty: it does not tell */
	struct strings state;
	/* arguments of mvm-host before the wanted size in MiB; empty: it has no balloon */
	struct strings balloon;
	/*
	 * sockets that the hypervisor makes in the state directory: what a crash left there is
	 * removed
	 */
	struct strings stale;
	enum {
		ACCEL_KVM,   /* KVM is needed */
		ACCEL_PROBE, /* KVM where it works, else TCG: found out at the start */
		ACCEL_TCG,   /* a guest of another architecture */
		ACCEL_MACOS, /* macOS's own, which is always there */
	} accel;
};

enum feature {
	FEATURE_9P,
	FEATURE_VIRTIOFS,
	FEATURE_USER_NETWORK,
	FEATURE_FORWARD_PORTS,
	FEATURE_TAP,
	FEATURE_VHOST_NET,
	FEATURE_MACVTAP,
	FEATURE_BRIDGE,
	FEATURE_VSOCK,
	FEATURE_NOTIFY,
	FEATURE_PCI_DEVICES,
	FEATURE_USB_DEVICES,
	FEATURE_ROOT_PORTS,
	FEATURE_GRAPHICS,
	FEATURE_CPU,
	FEATURE_HUGEPAGES,
	FEATURE_HOTPLUG_MEMORY,
	FEATURE_BALLOON,
	FEATURE_INITIAL_BALLOON,
	FEATURE_MACHINE_ID,
	FEATURE_CREDENTIALS,
	FEATURE_NO_SOCKET,
	FEATURE_USER,
	FEATURE_READ_ONLY_VOLUMES,
	FEATURE_DIRECT,
	FEATURE_SERIAL,
	FEATURE_QCOW2,
	FEATURE_VHD,
	FEATURE_EXTRA_ARGS,
	FEATURE_COUNT,
};

struct capability {
	enum {
		CAN_NOT,
		CAN,
		CAN_WHEN,  /* `holds` decides */
		CAN_IGNORE /* the VM runs without it: a warning */
	} can;
	/* CAN_WHEN: "with another machine than microvm"; CAN_NOT, CAN_IGNORE: why, or NULL. */
	const char *reason;
	bool (*holds)(const struct vm *vm);
};

struct backend {
	const char *name;
	const char *doc;    /* one line for the table of hypervisors */
	const char *tested; /* how its runners were tested */
	struct capability capabilities[FEATURE_COUNT];
	/*
	 * Kernel formats that it boots, the best first; on x86_64 a bzImage is unpacked to an ELF
	 * when only that is taken.
	 */
	const enum kernel_format *kernels;
	size_t nkernels;
	/* Which of them this version boots; NULL: all. */
	bool (*boots)(const struct vm *vm, enum kernel_format format);
	/* disks have serial numbers; else the guest finds them by their order */
	bool disk_serials;
	/* it opens macvtaps by the names of their devices (PIECE_MACVTAP), not by descriptors */
	bool macvtap_names;
	/*
	 * Whether this version locks its disks' images itself (docs/storage.md,
	 * backends/runtime/volume/lock.c). NULL: no version does, so the runner takes the locks.
	 */
	bool (*locks_disks)(const struct vm *vm);
	/* it learns a virtiofs share's tag from the virtiofsd, not from its arguments */
	bool asks_for_tags;
	/*
	 * its 9p server gives files the inode numbers that they have, also when several file
	 * systems lie below one directory
	 */
	bool plain_inodes;
	/* network interfaces have a queue for each CPU, so taps are made with multi_queue */
	bool multi_queue;
	/* Those that have one queue all the same; NULL: none. */
	bool (*single_queue)(const struct vm *vm, const struct interface *interface);
	/*
	 * What the hypervisor itself adds to the kernel's command line, at most, beside what is
	 * among its arguments; NULL: nothing.
	 */
	size_t (*parameter_bytes)(const struct guest *guest);
	const char *hugetlb;   /* huge pages are reserved ones of the host, and not what it makes by
				  itself: of so many KiB, or "default"; NULL: they are not */
	const char *hugetlbfs; /* where it takes them from; NULL: from the kernel */
	/*
	 * Whether the guest has its machine id from SMBIOS; NULL: it never has, and gets it as a
	 * kernel parameter.
	 */
	bool (*smbios)(const struct vm *vm, enum kernel_arch arch);
	/* the guest's vsock is this socket of the state directory; NULL: it is the kernel's */
	const char *vsock_socket;
	bool vsock_by_arguments; /* extraArgs can give the guest a vsock, in place of vsock.cid */
	bool notifies;           /* vsock.notify is true by default */
	bool macos;              /* it runs on a Mac, so not on the machine that builds */
	/*
	 * on x86 the guest learns of its devices from parameters (virtio_mmio.device=) that not
	 * every kernel reads
	 */
	bool mmio_parameters;
	/*
	 * Further rules of this hypervisor ("mem must be at least 128"); NULL: none. The guest has
	 * its disks and shares, and nothing that depends on its kernel.
	 */
	void (*check)(struct diag *diag, const struct vm *vm, const struct guest *guest);
	/* Rules that need the guest's kernel to be known; NULL: none. */
	bool (*check_guest)(struct diag *diag, const struct guest *guest);
	/*
	 * Names in the state directory that are taken; NULL: none. hostName is there, the rest may
	 * have been refused.
	 */
	void (*makes)(struct arena *arena, const struct vm *vm, struct made_files *out);
	/* Modules that the guest needs for this hypervisor's devices. */
	void (*modules)(
		struct arena *arena, const struct guest *guest, struct module_wishes *wishes);
	void (*lower)(struct arena *arena, const struct guest *guest, struct lowered *out);
};

/* In the order of the tables; NULL ends it. */
extern const struct backend *const backends[];
/* NULL when there is none of that name. */
const struct backend *backend_find(const char *name);
/* What a feature is called: "port forwarding". */
const char *feature_name(enum feature feature);

/*
 * Whether the description's version of a hypervisor ("51", "9.1.0"; NULL: the current one) is at
 * least this one.
 */
bool version_at_least(const char *version, unsigned major, unsigned minor);

#endif
