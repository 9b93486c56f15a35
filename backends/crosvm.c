/* SPDX-License-Identifier: MIT */
/*
 * crosvm: Google's VMM. Command line according to its source (2026-08): src/crosvm/cmdline.rs,
 * serde_keyvalue and devices/src/virtio.
 */
#include <ctype.h>
#include <string.h>

#include "backends/interface/option_rows.h"
#include "backends/interface/parts.h"
#include "base/buf.h"

struct crosvm_options {
	struct hypervisor_options common;
	const char *pivot_root;
};

static const struct option options[] = {
	EXTRA_ARGS("crosvm"),
	{.name = "pivotRoot",
		STRING(struct crosvm_options, pivot_root),
		.doc = "Empty directory for crosvm's sandbox; null: one in the runner."},
	PACKAGE("crosvm"),
	VERSION("crosvm"),
	{0},
};

/* The root directory of sandboxed devices, empty and part of the runner. */
#define EMPTY "share/microvm/empty"

struct crosvm {
	struct arena *arena;
	const struct guest *guest;
	struct command *command;
};

static const struct crosvm_options *own(const struct guest *guest)
{
	return (const struct crosvm_options *)guest->options;
}

/* Inside quotes only these two characters need an escape. */
static const char *quote(struct arena *arena, const char *text)
{
	BUF_CLEANUP struct buf quoted = {0};
	buf_puts(&quoted, "\"");
	for (; *text; text++)
		buf_printf(&quoted, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
	buf_puts(&quoted, "\"");
	return arena_strdup(arena, buf_text(&quoted));
}

/*
 * Quotes a key's value unless it can only be read as one string, not as several values, a number or
 * a boolean.
 */
static const char *value(struct arena *arena, const char *text)
{
	bool bare = *text && !strpbrk(text, ",[]\"'\\") && !isdigit((unsigned char)*text) &&
		*text != '-' && strncmp(text, "true", 4) != 0 && strncmp(text, "false", 5) != 0;
	return bare ? text : quote(arena, text);
}

static const char *program(struct arena *arena, const struct guest *guest)
{
	return program_path(arena, guest->options->package, "crosvm");
}

static void add_base(const struct crosvm *crosvm)
{
	struct command *command = crosvm->command;
	const struct guest *guest = crosvm->guest;
	command_add(command, program(crosvm->arena, guest));
	command_add(command, "run");
	option_printf(command, "-m", "%llu", (unsigned long long)guest->mem_mib);
	option_printf(command, "-c", "%llu", (unsigned long long)guest->vcpu);
	/* crosvm adds this console to the kernel's parameters. */
	option_add(command, "--serial", "type=stdout,console=true,stdin=true");
	/* A reset ends crosvm, after a panic too. */
	option_parameters(command, "-p", "reboot=k panic=-1", crosvm->guest);
}

static void add_memory(const struct crosvm *crosvm)
{
	const struct guest *guest = crosvm->guest;
	if (guest->hugepage_mem)
		command_add(crosvm->command, "--hugepages");
	command_add(crosvm->command, guest->balloon ? "--balloon-page-reporting" : "--no-balloon");
	if (!guest->initial_balloon_mem_mib)
		return;
	/* The memory outside the balloon. */
	option_printf(crosvm->command, "--init-mem", "%llu",
		(unsigned long long)(guest->mem_mib - guest->initial_balloon_mem_mib));
}

static void add_pmem(const struct crosvm *crosvm, const struct disk *disk)
{
	struct command *command = crosvm->command;
	command_add(command, "--pmem");
	struct argument *pmem = command_begin(command);
	argument_text(command, pmem, "path=\"");
	argument_file(command, pmem, &disk->file, PIECE_RUNNER_JSON);
	argument_text(command, pmem, "\",ro=true");
}

static void add_disk(const struct crosvm *crosvm, const struct disk *disk)
{
	if (disk->pmem) {
		add_pmem(crosvm, disk);
		return;
	}
	struct command *command = crosvm->command;
	command_add(command, "--block");
	struct argument *block = command_begin(command);
	argument_text(command, block, "path=");
	if (disk->file.in_runner) {
		/* crosvm quotes strings like JSON. */
		argument_text(command, block, "\"");
		argument_file(command, block, &disk->file, PIECE_RUNNER_JSON);
		argument_text(command, block, "\"");
	} else {
		argument_text(command, block, value(crosvm->arena, disk->file.path));
	}
	if (disk->direct)
		argument_direct(command, block, &disk->file, ",direct=true", ",direct=false");
	else
		argument_text(command, block, ",direct=false");
	argument_text(command, block,
		arena_printf(crosvm->arena, ",ro=%s,id=%s", disk->read_only ? "true" : "false",
			value(crosvm->arena, disk->serial)));
}

static void add_shares(const struct crosvm *crosvm)
{
	for (size_t i = 0; i < crosvm->guest->nshares; i++) {
		const struct share *share = crosvm->guest->shares[i];
		const bool has_daemon = share_has_daemon(share);
		command_add(crosvm->command, has_daemon ? "--vhost-user" : "--shared-dir");
		if (has_daemon)
			command_printf(crosvm->command, "type=fs,socket=%s",
				value(crosvm->arena, share->socket));
		else if (share->dax)
			command_printf(crosvm->command,
				"%s:%s:type=fs:cache=%s:posix_acl=%s:dax=true", share->source,
				share->tag, share_cache_names[share->cache],
				share->posix_acl ? "true" : "false");
		else
			command_printf(crosvm->command, "%s:%s:type=p9", share->source, share->tag);
	}
}

static void add_interfaces(const struct crosvm *crosvm)
{
	for (size_t i = 0; i < crosvm->guest->nnics; i++) {
		const struct nic *nic = &crosvm->guest->nics[i];
		const struct interface *interface = nic->interface;
		const char *tap = nic->fds ? arena_printf(crosvm->arena, "tap-fd=%d", nic->fds[0])
					   : arena_printf(crosvm->arena, "tap-name=%s",
						     value(crosvm->arena, interface->id));
		const char *queues = nic->queues > 1
			? arena_printf(crosvm->arena, ",vq-pairs=%u", nic->queues)
			: "";
		option_printf(crosvm->command, "--net", "%s,mac=%s%s%s", tap, interface->mac,
			interface->tap.vhost ? ",vhost-net" : "", queues);
	}
}

static void add_devices(const struct crosvm *crosvm)
{
	for (size_t i = 0; i < crosvm->guest->ndevices; i++)
		option_printf(crosvm->command, "--vfio", "%s,iommu=viommu",
			pci_directory(crosvm->arena, crosvm->guest->devices[i].path));
}

/*
 * crosvm's default is /var/empty, which few hosts have, and it does not start if the directory is
 * missing.
 */
static void add_sandbox(const struct crosvm *crosvm, struct lowered *out)
{
	const char *given = own(crosvm->guest)->pivot_root;
	const struct file_ref root =
		given ? (struct file_ref){given, false} : (struct file_ref){EMPTY, true};
	option_file(crosvm->command, "--pivot-root", &root);
	if (given)
		vec_push(crosvm->arena, &out->directories, given);
	else
		out->empty_directory = EMPTY;
}

/*
 * The guest's systemd reads the address of its notify socket from the OEM strings; see
 * systemd.system-credentials(7).
 */
static void add_smbios(const struct crosvm *crosvm)
{
	const struct guest *guest = crosvm->guest;
	const char *uuid =
		guest->machine_id ? arena_printf(crosvm->arena, "uuid=%s", guest->machine_id) : "";
	const char *notify = guest->vsock.notify ? arena_printf(crosvm->arena,
							   "oem-strings=[io.systemd.credential:vmm."
							   "notify_socket=vsock-stream:2:%lld]",
							   notify_port(guest))
						 : "";
	if (crosvm->guest->arch == KERNEL_X86_64 && (*uuid || *notify))
		option_printf(crosvm->command, "--smbios", "%s%s%s", uuid,
			*uuid && *notify ? "," : "", notify);
}

static void add_control(const struct crosvm *crosvm)
{
	const struct guest *guest = crosvm->guest;
	add_smbios(crosvm);
	if (guest->socket)
		option_add(crosvm->command, "-s", guest->socket);
	if (guest->vsock.cid >= 0)
		option_printf(crosvm->command, "--vsock", "%lld", (long long)guest->vsock.cid);
}

static void add_graphics(const struct crosvm *crosvm, struct companion *companion)
{
	const struct guest *guest = crosvm->guest;
	if (!guest->graphics.enable)
		return;
	option_printf(crosvm->command, "--vhost-user", "gpu,socket=%s",
		value(crosvm->arena, guest->graphics.socket));
	add_gpu_process(crosvm->arena, guest, guest->options->package,
		"{\"context-types\":\"virgl:virgl2:cross-domain\",\"egl\":true,\"vulkan\":true}",
		companion);
}

static void add_kernel(const struct crosvm *crosvm)
{
	option_file(crosvm->command, "--initrd", &crosvm->guest->initrd);
	command_add_file(crosvm->command, &crosvm->guest->kernel);
	command_add_all(crosvm->command, &crosvm->guest->options->extra_args);
}

static void crosvm_lower(struct arena *arena, const struct guest *guest, struct lowered *out)
{
	out->command.arena = arena;
	const struct crosvm crosvm = {arena, guest, &out->command};
	add_base(&crosvm);
	add_memory(&crosvm);
	for (size_t i = 0; i < guest->ndisks; i++)
		add_disk(&crosvm, &guest->disks[i]);
	add_graphics(&crosvm, &out->companion);
	add_sandbox(&crosvm, out);
	add_control(&crosvm);
	add_shares(&crosvm);
	add_interfaces(&crosvm);
	add_devices(&crosvm);
	add_kernel(&crosvm);
	if (guest->socket)
		vec_push(arena, &out->sockets, guest->socket);
	/*
	 * Through crosvm's own program, because the protocol of its socket changes between
	 * versions.
	 */
	const struct control control = {"crosvm", guest->socket, program(arena, guest)};
	lower_shutdown(arena, &control, out);
	lower_balloon(arena, &control, guest, out);
	lower_notify(arena, guest, out);
	out->accel = ACCEL_KVM;
}

/*
 * vhost-net opens its tap without multi_queue, which is set for all taps of a VM or none. A macvtap
 * has a single descriptor.
 */
static bool crosvm_single_queue(const struct guest *guest, const struct interface *interface)
{
	for (size_t i = 0; i < guest->nnics; i++)
		if (guest->nics[i].interface->tap.vhost)
			return true;
	return interface->type == INTERFACE_MACVTAP;
}

/*
 * TooManyVcpus in x86_64/src/lib.rs. Devices have no limit: they become functions of used slots
 * when no slot is free.
 */
enum { CPUS_MAX = 254 };

static void crosvm_check(struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	(void)guest;
	check_cpus(diag, vm, "crosvm", CPUS_MAX);
	const char *pivot_root = own(guest)->pivot_root;
	if (pivot_root && pivot_root[0] != '/')
		diag_error(diag, STATUS_DESCRIPTION, vm_where(vm, &own(guest)->pivot_root),
			"bad-path", "crosvm.pivotRoot: \"%.80s\" is not an absolute path",
			pivot_root);
	for (size_t i = 0; i < vm->shares.n; i++) {
		const struct share *share = &vm->shares.v[i];
		if (share_has_daemon(share))
			continue;
		if (!share->dax)
			check_read_only(diag, vm, i,
				"crosvm supports read-only shares with virtiofs only, not with 9p");
		if (share->source && strchr(share->source, ':'))
			diag_error(diag, STATUS_DESCRIPTION, &share->where, "not-supported",
				"shares[%zu].source: crosvm cannot share a directory with ':' in "
				"its path",
				i);
	}
}

/*
 * " console=ttyS0" for its console, and more on machines that it emulates partially:
 * x86_64/src/lib.rs.
 */
static size_t crosvm_parameter_bytes(const struct guest *guest)
{
	(void)guest;
	return 160;
}

/* crosvm accepts only printable ASCII characters: kernel_cmdline/src/kernel_cmdline.rs. */
static bool crosvm_check_guest(struct diag *diag, const struct vm *vm, const struct guest *guest)
{
	for (size_t i = 0; i < vm->shares.n && guest->arch != KERNEL_X86_64; i++)
		if (vm->shares.v[i].dax)
			return diag_error(diag, STATUS_DESCRIPTION, &vm->shares.v[i].where,
				"not-supported",
				"shares[%zu].dax: crosvm supports DAX for shares only on x86_64",
				i);
	for (const char *at = guest->parameters; *at; at++)
		if (*at < ' ' || *at > '~')
			return diag_error(diag, STATUS_DESCRIPTION,
				vm_where(vm, &vm->kernel_params), "not-supported",
				"kernelParams: crosvm passes only printable ASCII characters to "
				"the kernel");
	return true;
}

static void crosvm_modules(
	struct arena *arena, const struct guest *guest, struct module_wishes *wishes)
{
	(void)guest;
	vec_push(arena, wishes,
		(struct module_wish){
			"virtio_pci", "it is the bus of crosvm's devices", false, NULL});
}

/* On aarch64 the guest has only a device tree. */
static bool crosvm_smbios(const struct guest *guest)
{
	return guest->arch == KERNEL_X86_64;
}

static const enum kernel_format kernels[] = {KERNEL_BZIMAGE, KERNEL_ELF, KERNEL_ARM64_IMAGE};

/*
 * Each of its devices runs in namespaces of its own, with an own /proc, which the kernel mounts
 * only where nothing hides parts of the host's (mount_too_revealing, fs/namespace.c).
 */
static const char unit_settings[] = "RestrictNamespaces=no\n"
				    "ProtectHostname=no\n"
				    "ProtectKernelTunables=no\n"
				    "ProtectKernelLogs=no\n"
				    "ProtectProc=default\n"
				    "SystemCallFilter=@mount @chown @setuid chroot\n";

const struct backend crosvm_backend = {
	.name = "crosvm",
	.doc = "crosvm: KVM, sandboxed devices, Wayland graphics",
	.tested = "the version of 2026-08 boots with KVM inside a VM, by the tests where it is "
		  "installed",
	.title = "crosvm",
	.options = options,
	.options_bytes = sizeof(struct crosvm_options),
	.capabilities =
		{
			[FEATURE_9P] = {.can = CAN},
			[FEATURE_VIRTIOFS] = {.can = CAN},
			[FEATURE_SHARE_DAX] = {.can = CAN},
			[FEATURE_USER_NETWORK] = {.can = CAN_NOT},
			[FEATURE_FORWARD_PORTS] = {.can = CAN_NOT},
			[FEATURE_TAP] = {.can = CAN},
			[FEATURE_VHOST_NET] = {.can = CAN},
			[FEATURE_MACVTAP] = {.can = CAN},
			[FEATURE_BRIDGE] = {CAN_NOT, GIVE_TAP_OF_BRIDGE, NULL},
			[FEATURE_VSOCK] = {.can = CAN},
			[FEATURE_NOTIFY] = {.can = CAN},
			[FEATURE_PCI_DEVICES] = {.can = CAN},
			[FEATURE_USB_DEVICES] = {CAN_NOT,
				"attach them while it runs, with \"crosvm usb attach\"", NULL},
			[FEATURE_ROOT_PORTS] = {.can = CAN_IGNORE},
			[FEATURE_GRAPHICS] = {.can = CAN},
			[FEATURE_CPU] = {CAN_IGNORE, CPU_OF_HOST, NULL},
			[FEATURE_HUGEPAGES] = {.can = CAN},
			[FEATURE_HOTPLUG_MEMORY] = {CAN_NOT, NO_VIRTIO_MEM, NULL},
			[FEATURE_BALLOON] = {.can = CAN},
			[FEATURE_INITIAL_BALLOON] = {.can = CAN},
			[FEATURE_MACHINE_ID] = {.can = CAN},
			[FEATURE_CREDENTIALS] = {CAN_NOT, CREDENTIALS_ARE_SEEN, NULL},
			[FEATURE_NO_SOCKET] = {.can = CAN},
			[FEATURE_USER] = {CAN_NOT, START_AS_USER, NULL},
			[FEATURE_READ_ONLY_VOLUMES] = {.can = CAN},
			[FEATURE_DIRECT] = {.can = CAN},
			[FEATURE_SERIAL] = {.can = CAN},
			[FEATURE_PMEM] = {.can = CAN},
			[FEATURE_STORE_DIRECT] = {.can = CAN},
			[FEATURE_QCOW2] = {.can = CAN},
			[FEATURE_VHD] = {.can = CAN_NOT},
			[FEATURE_EXTRA_ARGS] = {.can = CAN},
		},
	.kernels = kernels,
	.nkernels = countof(kernels),
	.disk_serials = true,
	.locks_disks = locks_always,
	.asks_for_tags = true,
	.plain_inodes = true, /* common/p9/src/server/mod.rs, From<stat64> for Qid */
	.writable_shares = true,
	.multi_queue = true,
	.single_queue = crosvm_single_queue,
	.parameter_bytes = crosvm_parameter_bytes,
	.check = crosvm_check,
	.check_guest = crosvm_check_guest,
	.smbios = crosvm_smbios,
	.modules = crosvm_modules,
	.unit_settings = unit_settings,
	.lower = crosvm_lower,
};
