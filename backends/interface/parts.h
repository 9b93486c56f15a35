/* SPDX-License-Identifier: MIT */
/* parts: what several hypervisors have alike. */
#ifndef MVM_BACKENDS_INTERFACE_PARTS_H
#define MVM_BACKENDS_INTERFACE_PARTS_H

#include "backends/interface/backend.h"

/* Reasons in the tables of capabilities. */
#define GIVE_VIRTIOFS "give the shares proto: virtiofs"
#define GIVE_TAP_OF_BRIDGE "give the interface type: tap, and the tap to the bridge"
#define CPU_OF_HOST "the guest sees the host's CPU"
#define NO_SMBIOS_NO_FW_CFG "it has neither SMBIOS nor fw_cfg"
#define NO_VIRTIO_MEM "it has no virtio-mem"
#define CREDENTIALS_ARE_SEEN \
	"it takes them as arguments only, which every user of the host can read"
/* The guest learns from the credential vmm.notify_socket where to report. */
#define NO_NOTIFY_SOCKET "it passes the guest no systemd credential"
#define BALLOON_ONCE_IT_RUNS "use microvm-balloon once it runs"
#define START_AS_USER "start it as that user"
#define DISKS_BY_ORDER "volumes are mounted by their order"

/* The program in its package, or (NULL) wherever PATH has it. */
const char *program_path(struct arena *arena, const char *package, const char *name);
/* The directory of a PCI device; its address may lack the domain, the directory's name does not. */
const char *pci_directory(struct arena *arena, const char *address);
/*
 * The kernel's parameters: the hypervisor's own, the guest's, and what is found out at the start.
 */
void option_parameters(
	struct command *command, const char *option, const char *own, const struct guest *guest);
/* Own and the guest's, without those of the start. */
const char *parameters_known(struct arena *arena, const char *own, const struct guest *guest);

/* " virtio_mmio.device=4K@0xd0000000:12" and the like, for each of so many devices. */
size_t mmio_parameter_bytes(size_t devices);
/* For locks_disks, when all versions do. */
bool locks_always(const struct vm *vm);

/* How mvm-host speaks to a running hypervisor. */
struct control {
	/* a socket, or a name; address NULL: it cannot be spoken to */
	const char *protocol, *address;
	/* the hypervisor's own program that does the talking; NULL: none */
	const char *program;
};

void lower_state(struct arena *arena, const struct control *control, struct lowered *out);
void lower_shutdown(struct arena *arena, const struct control *control, struct lowered *out);
/* Nothing for a VM without a balloon. */
void lower_balloon(struct arena *arena, const struct control *control, const struct vm *vm,
	struct lowered *out);
/*
 * The host's port at which the guest reports that it is up: the guest's number, so that every VM
 * has its own, but none up to 1023, which only a privileged process may listen at
 * (LAST_RESERVED_PORT, net/vmw_vsock/af_vsock.c).
 */
long long notify_port(const struct vm *vm);
/*
 * Where the guest reports when the host's kernel carries its vsock: at the port notify_port of the
 * host.
 */
void lower_notify(struct arena *arena, const struct vm *vm, struct lowered *out);

/* Why a share that the description does not call read-only is: "" when it does. */
const char *read_only_why(const struct share *share);
/*
 * Refuses more CPUs than a hypervisor has, and more devices than it has places; of those `devices`
 * counts its own too.
 */
bool check_cpus(struct diag *diag, const struct vm *vm, const char *hypervisor, unsigned most);
bool check_places(struct diag *diag, const struct guest *guest, const char *hypervisor,
	size_t devices, unsigned places);
/*
 * Those that every hypervisor makes a device of: disks, interfaces, shares, devices of the host,
 * vsock and balloon.
 */
size_t count_devices_of(const struct guest *guest);

/*
 * Refuses a path for a hypervisor whose options end at a comma, whatever stands around it; `list`
 * is "volumes" or "shares".
 */
void check_comma(struct diag *diag, const struct pos *where, const char *hypervisor,
	const char *list, size_t i, const char *path);

#endif
