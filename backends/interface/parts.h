/* SPDX-License-Identifier: MIT */
/* parts: functions that several backends share. */
#ifndef MVM_BACKENDS_INTERFACE_PARTS_H
#define MVM_BACKENDS_INTERFACE_PARTS_H

#include "backends/interface/backend.h"

/* Reasons for the tables of capabilities. */
#define GIVE_VIRTIOFS "set proto: virtiofs for the shares"
#define GIVE_TAP_OF_BRIDGE "set type: tap for the interface, and add the tap to the bridge"
#define CPU_OF_HOST "the guest sees the host's CPU"
#define NO_SMBIOS_NO_FW_CFG "it has neither SMBIOS nor fw_cfg"
#define NO_VIRTIO_MEM "it has no virtio-mem"
#define CREDENTIALS_ARE_SEEN \
	"it accepts them only as arguments, which every user of the host can read"
/* The credential vmm.notify_socket tells the guest where to report. */
#define NO_NOTIFY_SOCKET "it does not pass systemd credentials"
#define BALLOON_ONCE_IT_RUNS "use microvm-balloon once it runs"
#define START_AS_USER "start it as that user"
#define DISKS_BY_ORDER "volumes are mounted by their order"

/* Returns the program's path in its package (NULL: found in PATH). */
const char *program_path(struct arena *arena, const char *package, const char *name);
/*
 * Returns the sysfs directory of a PCI device. The address may lack the domain, which the
 * directory's name includes.
 */
const char *pci_directory(struct arena *arena, const char *address);
/*
 * Adds the kernel parameters: the hypervisor's own, the guest's, and those determined at the start.
 */
void option_parameters(
	struct command *command, const char *option, const char *own, const struct guest *guest);
/* Returns the hypervisor's own parameters and the guest's, without those of the start. */
const char *parameters_known(struct arena *arena, const char *own, const struct guest *guest);

/* Returns the bytes of " virtio_mmio.device=4K@0xd0000000:12" for each of `devices`. */
size_t mmio_parameter_bytes(size_t devices);
/* For locks_disks of a hypervisor all of whose versions do. */
bool locks_always(const struct guest *guest);

/* How mvm-host controls a running hypervisor. */
struct control {
	/* address: a socket, or a name; NULL: it cannot be controlled */
	const char *protocol, *address;
	/* the hypervisor's own program for this; NULL: none */
	const char *program;
};

void lower_state(struct arena *arena, const struct control *control, struct lowered *out);
void lower_shutdown(struct arena *arena, const struct control *control, struct lowered *out);
/* Adds nothing for a VM without a balloon. */
void lower_balloon(struct arena *arena, const struct control *control, const struct guest *guest,
	struct lowered *out);
/*
 * Returns the host's vsock port at which the guest reports that it is up. It is the guest's CID, so
 * that every VM has its own, but above 1023, as only privileged processes can listen on the others
 * (LAST_RESERVED_PORT, net/vmw_vsock/af_vsock.c).
 */
long long notify_port(const struct guest *guest);
/*
 * Sets the address at which the guest reports if the host's kernel provides its vsock: notify_port
 * of the host.
 */
void lower_notify(struct arena *arena, const struct guest *guest, struct lowered *out);

/* Whether a virtiofsd serves the share, except on a Mac. */
bool share_has_daemon(const struct share *share);

/*
 * For a hypervisor that would let the guest write to a read-only share. It records an error, or a
 * warning if the share is the host's store, which belongs to root: there microvm-run makes sure
 * that the hypervisor's user cannot write either (need_protected). `cannot`: "NAME does not ...".
 */
void check_read_only(struct diag *diag, const struct vm *vm, size_t i, const char *cannot);
/*
 * Record an error for more CPUs than the hypervisor supports, or more devices than it has slots
 * for; `devices` includes its own.
 */
bool check_cpus(struct diag *diag, const struct vm *vm, const char *hypervisor, unsigned most);
bool check_places(struct diag *diag, const struct guest *guest, const char *hypervisor,
	size_t devices, unsigned places);
/*
 * Counts the devices that every hypervisor needs: disks, interfaces, shares, devices of the host,
 * vsock and balloon.
 */
size_t count_devices_of(const struct guest *guest);

/*
 * Refuses a path for a hypervisor whose options end at a comma, which cannot be quoted; `list` is
 * "volumes" or "shares".
 */
void check_comma(struct diag *diag, const struct pos *where, const char *hypervisor,
	const char *list, size_t i, const char *path);
/* An option that we generate, and that the hypervisor accepts only once. */
struct single_option {
	const char *option;
	const char *from; /* the description's option behind it: "mem"; or what else is */
	bool given;
};
/* Refuses those of extraArgs that we generate too, in "--option value" and "--option=value". */
void check_single_options(struct diag *diag, const struct vm *vm, const struct guest *guest,
	const char *hypervisor, const struct single_option *options, size_t n);
/*
 * Sets the companion to crosvm's GPU device, a process of its own that draws on the user's Wayland
 * display; `package` as for program_path.
 */
void add_gpu_process(struct arena *arena, const struct guest *guest, const char *package,
	const char *params, struct companion *companion);

#endif
