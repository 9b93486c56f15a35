/* SPDX-License-Identifier: MIT */
/*
 * backend: what each hypervisor supports, as data, and how it is started. Backends never print,
 * run, quote or write anything.
 */
#ifndef MVM_BACKENDS_INTERFACE_BACKEND_H
#define MVM_BACKENDS_INTERFACE_BACKEND_H

#include <stdbool.h>

#include "backends/interface/command.h"
#include "backends/interface/option.h"
#include "backends/interface/vm.h"
#include "base/diag.h"
#include "imaging/kernel/kernel.h"
#include "imaging/modules/modules.h"

/* A disk of the guest, in the guest's order. */
struct disk {
	const char *id;     /* "store", "vdb" */
	const char *serial; /* the guest finds it by this */
	struct file_ref file;
	enum image_type format;
	bool read_only, direct;
	bool pmem; /* persistent memory, which the guest finds by its order alone */
	const struct volume *volume; /* NULL for the store disk */
	/*
	 * how the guest identifies it: the serial number if `by_serial`, otherwise its path in /dev
	 */
	const char *source;
	bool by_serial;
};

/*
 * A network interface. The runner opens a macvtap's device once for each queue, unless the backend
 * opens it by name.
 */
struct nic {
	const struct interface *interface;
	/*
	 * descriptors of a macvtap that are open when the hypervisor starts, one per queue; else
	 * NULL
	 */
	const int *fds;
	unsigned queues;
};

/*
 * Input of a backend: the parts of the description that it lowers, and the results of planning.
 * List elements belong to the description.
 */
struct guest {
	/*
	 * the backend's own options: a pointer to the first member of struct qemu_options and the
	 * like
	 */
	const struct hypervisor_options *options;
	const char *host_name;
	const char *cpu; /* NULL: the host's CPU */
	uint64_t vcpu;
	uint64_t mem_mib;
	bool hugepage_mem;
	uint64_t hotplug_mem_mib, hotplugged_mem_mib;
	bool balloon;
	uint64_t initial_balloon_mem_mib;
	bool deflate_on_oom;
	const char *machine_id; /* NULL: none */
	struct pairs credential_files;
	struct vsock vsock;
	struct graphics graphics;
	const char *socket, *user; /* NULL: none */
	const struct disk *disks;
	size_t ndisks;
	const struct nic *nics;
	size_t nnics;
	/* the description's shares, then those that follow from other options */
	const struct share *const *shares;
	size_t nshares;
	const struct device *devices;
	size_t ndevices;
	const struct forward_port *forward_ports;
	size_t nforward_ports;
	bool on_mac; /* the host is a Mac */

	/* the rest depends on the kernel */
	enum kernel_arch arch;
	bool foreign; /* `arch` differs from the host's architecture */
	struct file_ref kernel, initrd;
	/* kernel parameters, except for the console and the reboot method */
	const char *parameters;
};

/* A program that serves the hypervisor and exits with it. It is ready once its socket exists. */
struct companion {
	struct command command; /* without arguments: no companion */
	const char *socket;
};

/*
 * A file that the hypervisor, or the runner on its behalf, creates in the state directory and that
 * no option names.
 */
struct made_file {
	const char *path, *what;
	bool vsock; /* a socket with companions PATH_PORT */
};

struct made_files {
	struct made_file *v;
	size_t n, capacity;
};

/* Output of a backend. */
/* A name that the hypervisor lists when `argument` has the value "help". */
struct listed_name {
	const char *option, *name, *argument;
};

struct lowered {
	struct command command;
	struct companion companion;
	/* where mvm-host listens to the guest's systemd; NULL: nowhere */
	const char *notify;
	struct strings directories; /* created before the start */
	/* an empty directory that it needs in the runner, relative to that; NULL: none */
	const char *empty_directory;
	/* its control files are below $HOME, which is set to the state directory */
	bool sets_home;
	/*
	 * characters that no path in its arguments can contain, not even the runner's; NULL: any
	 * are allowed
	 */
	const char *forbidden_characters;
	bool terminal; /* its standard input must be a terminal */
	/* it asks the host's kernel to merge pages with equal content (KSM) */
	bool merges_memory;
	/* written to the state directory before the start; name NULL: none */
	struct document config;
	/*
	 * arguments of mvm-host before the guest's time limit in seconds; empty: it cannot be shut
	 * down from outside
	 */
	struct strings shutdown;
	/* arguments of mvm-host that print whether the VM is paused; empty: unsupported */
	struct strings state;
	/* arguments of mvm-host before the wanted size in MiB; empty: it has no balloon */
	struct strings balloon;
	/*
	 * sockets that the hypervisor creates in the state directory; leftovers of a crash are
	 * removed
	 */
	struct strings sockets;
	/* names in the description that the hypervisor must know */
	VEC(struct listed_name) listed;
	enum {
		ACCEL_KVM,   /* requires KVM */
		ACCEL_PROBE, /* KVM if it works, else TCG; determined at the start */
		ACCEL_TCG,   /* a guest of another architecture */
		ACCEL_MACOS, /* macOS's own, which always exists */
	} accel;
};

enum feature {
	FEATURE_9P,
	FEATURE_VIRTIOFS,
	FEATURE_SHARE_DAX,
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
	FEATURE_PMEM,
	FEATURE_STORE_DIRECT,
	FEATURE_QCOW2,
	FEATURE_VHD,
	FEATURE_EXTRA_ARGS,
	FEATURE_COUNT,
};

struct capability {
	enum {
		CAN_NOT,
		CAN,
		CAN_WHEN,  /* if `holds` returns true */
		CAN_IGNORE /* the VM runs without it, with a warning */
	} can;
	/*
	 * CAN_WHEN: the condition ("with another machine than microvm"); CAN_NOT, CAN_IGNORE: the
	 * reason, or NULL.
	 */
	const char *reason;
	bool (*holds)(const struct guest *guest);
};

struct backend {
	const char *name;
	const char *doc;    /* one line for the table of hypervisors */
	const char *tested; /* how its runners were tested */
	const char *title;  /* its name in messages and documents */
	/* The table of its options, and the size of the structure that they fill. */
	const struct option *options;
	size_t options_bytes;
	struct capability capabilities[FEATURE_COUNT];
	/*
	 * Kernel formats that it boots, the best first. On x86_64 a bzImage is unpacked to an ELF
	 * if only that is supported.
	 */
	const enum kernel_format *kernels;
	size_t nkernels;
	/* Whether this version boots the format; NULL: all formats. */
	bool (*boots)(const struct guest *guest, enum kernel_format format);
	/* disks have serial numbers; otherwise the guest finds them by their order */
	bool disk_serials;
	/* it opens macvtaps by the names of their devices (PIECE_MACVTAP), not by descriptors */
	bool macvtap_names;
	/*
	 * Whether this version locks its disks' images itself (docs/storage.md,
	 * backends/runtime/volume/lock.c). NULL: no version does, so the runner locks them.
	 */
	bool (*locks_disks)(const struct guest *guest);
	/* it gets a virtiofs share's tag from virtiofsd, not from its arguments */
	bool asks_for_tags;
	/*
	 * its 9p server passes on inode numbers unchanged, even if several file systems are below
	 * one directory
	 */
	bool plain_inodes;
	/* it lets the guest write to each share that virtiofsd does not serve */
	bool writable_shares;
	/* network interfaces have a queue for each CPU, so taps are created with multi_queue */
	bool multi_queue;
	/* Interfaces that get one queue although multi_queue is set; NULL: there are none. */
	bool (*single_queue)(const struct guest *guest, const struct interface *interface);
	/*
	 * Maximum number of bytes that the hypervisor itself adds to the kernel's command line, not
	 * counting its arguments; NULL: 0.
	 */
	size_t (*parameter_bytes)(const struct guest *guest);
	/*
	 * size in KiB, or "default", of huge pages that the host must have reserved; NULL: it
	 * allocates huge pages by itself
	 */
	const char *hugetlb;
	/* mount point from which it takes them; NULL: it gets them from the kernel */
	const char *hugetlbfs;
	/*
	 * Whether the guest gets its machine id from SMBIOS; NULL: never, so it is a kernel
	 * parameter.
	 */
	bool (*smbios)(const struct guest *guest);
	/* the guest's vsock is this socket in the state directory; NULL: it is the kernel's */
	const char *vsock_socket;
	bool vsock_by_arguments; /* extraArgs can give the guest a vsock, in place of vsock.cid */
	bool notifies;           /* vsock.notify is true by default */
	bool macos;              /* it runs on a Mac, so not on the build machine */
	bool also_macos;         /* it runs on a Mac too (hostSystem) */
	/*
	 * on x86 the guest finds its devices by parameters (virtio_mmio.device=) that not every
	 * kernel supports
	 */
	bool mmio_parameters;
	/*
	 * Settings of the VM's unit that it needs beyond the usual ones, as lines of a [Service]
	 * section; NULL: none.
	 */
	const char *unit_settings;
	/*
	 * Checks further rules of this hypervisor ("mem must be at least 128"); NULL: none. Fields
	 * of the guest that depend on its kernel are not set yet; an option that was refused has
	 * its default, or is NULL if it has none.
	 */
	void (*check)(struct diag *diag, const struct vm *vm, const struct guest *guest);
	/* Checks rules that depend on the guest's kernel; NULL: none. */
	bool (*check_guest)(struct diag *diag, const struct vm *vm, const struct guest *guest);
	/*
	 * Lists names in the state directory that it uses; NULL: none. hostName is set; other
	 * options may have been refused.
	 */
	void (*makes)(struct arena *arena, const struct guest *guest, struct made_files *out);
	/* Kernel modules for this hypervisor's devices. */
	void (*modules)(
		struct arena *arena, const struct guest *guest, struct module_wishes *wishes);
	void (*lower)(struct arena *arena, const struct guest *guest, struct lowered *out);
};

/* In the order of the tables; ends with NULL. */
extern const struct backend *const backends[];
/* Returns NULL for an unknown name. */
const struct backend *backend_find(const char *name);
/* Returns the name of a feature: "port forwarding". */
const char *feature_name(enum feature feature);

/*
 * Whether the description's version of a hypervisor ("51", "9.1.0"; NULL: the current one) is at
 * least MAJOR.MINOR.
 */
bool version_at_least(const char *version, unsigned major, unsigned minor);

#endif
