/* SPDX-License-Identifier: MIT */
#include "compiler/plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "compiler/plan/kernel_support.h"
#include "compiler/storage/volume.h"
#include "imaging/kernel/parameters.h"

/*
 * COMMAND_LINE_SIZE of x86 and arm64, less the final 0 byte; and what microvm-run may add: "
 * tsc_early_khz=" and a number.
 */
enum { COMMAND_LINE_BYTES = 2047, START_BYTES = 25 };

/*
 * Of one argument, MAX_ARG_STRLEN in include/uapi/linux/binfmts.h with its 0 byte; of all, with the
 * environment: a quarter of the stack's limit, which is 8 MiB as a rule (fs/exec.c,
 * bprm_stack_limits). What is known at the start only is a path, or parameters of the kernel.
 */
enum { ARGUMENT_BYTES = 131071, ARGUMENTS_BYTES = 3 << 19, LATE_BYTES = 4096 };

/* A line of 300 bytes for each of 200000 store paths. */
enum { REGISTRATION_BYTES = 64 << 20 };

struct planner {
	struct arena *arena;
	struct diag *diag;
	struct plan *plan;
};

static bool in_store(const struct vm *vm, const char *path)
{
	size_t length = strlen(vm->store_dir);
	return strncmp(path, vm->store_dir, length) == 0 && path[length] == '/';
}

/* ---- closure ---- */

static bool plan_closure(struct planner *planner, unsigned jobs)
{
	const struct vm *vm = planner->plan->vm;
	struct closure_request request = {.store_dir = vm->store_dir,
		.file = vm->closure,
		.file_pos = vm_where(vm, &vm->closure),
		.jobs = jobs,
		.memo = shared_closures(planner->plan->shared)};
	VEC(struct pos) places = {0};
	const struct pos nowhere = {0}, *where = vm_where(vm, &vm->toplevel);
	vec_push(planner->arena, &request.roots, vm->toplevel);
	vec_push(planner->arena, &places, where ? *where : nowhere);
	for (size_t i = 0; i < vm->store_paths.n; i++) {
		where = vm_where(vm, vm->store_paths.v[i]);
		vec_push(planner->arena, &request.roots, vm->store_paths.v[i]);
		vec_push(planner->arena, &places, where ? *where : nowhere);
	}
	request.roots_pos = places.v;
	return closure_load(planner->arena, planner->diag, &request, &planner->plan->closure);
}

/* ---- network ---- */

static bool is_macvtap(const struct interface *interface)
{
	return strcmp(interface->type, "macvtap") == 0;
}

/* One queue for each CPU where the hypervisor and the kind of interface can. */
static unsigned nic_queues(const struct plan *plan, const struct interface *interface)
{
	const struct backend *backend = plan->backend;
	bool can = backend->multi_queue &&
		(is_macvtap(interface) || strcmp(interface->type, "tap") == 0) &&
		!(backend->single_queue && backend->single_queue(plan->vm, interface));
	return can ? (unsigned)plan->vm->vcpu : 1;
}

/* The reference's units make all of a VM's taps alike. */
static bool taps_have_queues(const struct plan *plan)
{
	for (size_t i = 0; i < plan->guest.nnics; i++)
		if (strcmp(plan->guest.nics[i].interface->type, "tap") == 0 &&
			plan->guest.nics[i].queues == 1)
			return false;
	return plan->backend->multi_queue && plan->vm->vcpu > 1;
}

static void plan_nics(struct planner *planner)
{
	struct plan *plan = planner->plan;
	const struct vm *vm = plan->vm;
	struct nic *nics = arena_alloc(planner->arena, vm->interfaces.n * sizeof *nics);
	int fd = FIRST_FREE_FD;
	for (size_t i = 0; i < vm->interfaces.n; i++) {
		const struct interface *interface = &vm->interfaces.v[i];
		unsigned queues = nic_queues(plan, interface);
		int *fds = is_macvtap(interface) && !plan->backend->macvtap_names
			? arena_alloc(planner->arena, queues * sizeof *fds)
			: NULL;
		for (unsigned k = 0; fds && k < queues; k++)
			fds[k] = fd++;
		nics[i] = (struct nic){interface, fds, queues};
	}
	plan->guest.nics = nics;
	plan->guest.nnics = vm->interfaces.n;
	plan->tap_multi_queue = taps_have_queues(plan);
}

static void plan_created_volumes(struct planner *planner)
{
	const struct vm *vm = planner->plan->vm;
	for (size_t i = 0; i < vm->volumes.n; i++) {
		const struct volume *volume = &vm->volumes.v[i];
		struct created_volume created = {.volume = volume};
		if (!volume->auto_create)
			continue;
		if (volume_by_mkfs(volume, volume_type_find(volume->fs_type)))
			volume_mkfs(planner->arena, vm, volume, &created.mkfs);
		else
			created.archive =
				arena_printf(planner->arena, RUNNER_VOLUMES "/%zu.tar.gz", i);
		vec_push(planner->arena, &planner->plan->created, created);
	}
}

/* With a database, the guest's Nix would collect what nothing roots: the running system. */
static void plan_roots(struct planner *planner)
{
	struct plan *plan = planner->plan;
	const struct vm *vm = plan->vm;
	if (plan->storage->nix.database == NIX_DATABASE_NONE)
		return;
	vec_push(planner->arena, &plan->roots,
		(struct stage1_link){arena_printf(planner->arena, "%s/gcroots/mvm-system",
					     plan->storage->nix.dir),
			plan->system.toplevel});
	for (size_t i = 0; i < vm->store_paths.n; i++)
		vec_push(planner->arena, &plan->roots,
			(struct stage1_link){arena_printf(planner->arena, "%s/gcroots/mvm-path-%zu",
						     plan->storage->nix.dir, i),
				vm->store_paths.v[i]});
}

/* ---- kernel and stage 1 ---- */

static bool takes_kernel(const struct plan *plan, enum kernel_format format)
{
	const struct backend *backend = plan->backend;
	for (size_t i = 0; i < backend->nkernels; i++)
		if (backend->kernels[i] == format)
			return !backend->boots || backend->boots(plan->vm, format);
	return false;
}

static bool needs_unpacking(const struct plan *plan)
{
	return plan->system.kernel.format == KERNEL_BZIMAGE &&
		!takes_kernel(plan, KERNEL_BZIMAGE) && takes_kernel(plan, KERNEL_ELF);
}

static void plan_boot_files(struct planner *planner)
{
	struct plan *plan = planner->plan;
	const struct system *system = &plan->system;
	plan->own_stage1 = !system->initrd;
	plan->unpacks_kernel = needs_unpacking(plan);
	plan->copies_kernel = !plan->unpacks_kernel && !in_store(plan->vm, system->kernel.path);
	plan->guest.kernel = plan->unpacks_kernel ? (struct file_ref){RUNNER_VMLINUX, true}
		: plan->copies_kernel             ? (struct file_ref){RUNNER_KERNEL, true}
						  : (struct file_ref){system->kernel.path, false};
	plan->copies_initrd = system->initrd && !in_store(plan->vm, system->initrd);
	bool carried = plan->own_stage1 || plan->copies_initrd;
	plan->guest.initrd = carried ? (struct file_ref){RUNNER_INITRD, true}
				     : (struct file_ref){system->initrd, false};
}

/*
 * What a file system asks the kernel for when it is mounted, and no dependency tells: the kernel
 * would call modprobe, which our stage 1 has not. The character set is the kernel's choice:
 * CONFIG_FAT_DEFAULT_IOCHARSET is ascii in Debian's, iso8859-1 in others.
 */
static const struct {
	const char *type, *module;
} mount_modules[] = {
	{"vfat", "nls_cp437"},
	{"vfat", "nls_ascii"},
	{"vfat", "nls_iso8859-1"},
	{"vfat", "nls_utf8"},
	{"msdos", "nls_cp437"},
};
static bool has_share(const struct guest *guest, const char *proto)
{
	for (size_t i = 0; i < guest->nshares; i++)
		if (strcmp(guest->shares[i]->proto, proto) == 0)
			return true;
	return false;
}

/* Every hypervisor's devices are virtio's; only the bus differs. */
static void wish_for_devices(struct planner *planner, struct module_wishes *wishes)
{
	const struct plan *plan = planner->plan;
	const struct vm *vm = plan->vm;
	const struct {
		bool wanted;
		struct module_wish wish;
	} all[] = {
		{plan->guest.ndisks > 0, {"virtio_blk", "the VM has disks", false}},
		{true, {"virtio_rng", "the hypervisor gives the guest random numbers", true}},
		{plan->guest.nnics > 0, {"virtio_net", "the VM has network interfaces", false}},
		{vm->balloon, {"virtio_balloon", "the VM has a balloon", false}},
		{vm->hotplug_mem_mib > 0, {"virtio_mem", "the VM has hotplug memory", false}},
		{vm->vsock.cid >= 0, {"vmw_vsock_virtio_transport", "the VM has a vsock", false}},
		{has_share(&plan->guest, "9p"), {"9pnet_virtio", "the VM has 9p shares", false}},
	};
	for (size_t i = 0; i < countof(all); i++)
		if (all[i].wanted)
			vec_push(planner->arena, wishes, all[i].wish);
}

/*
 * The module names the device that stands for the command line. A kernel that has it built in does
 * not tell.
 */
static bool check_mmio_parameters(struct planner *planner)
{
	const struct plan *plan = planner->plan;
	bool needed = plan->backend->mmio_parameters && plan->guest.arch == KERNEL_X86_64;
	if (!needed ||
		module_holds(
			planner->arena, &plan->modules, "virtio_mmio.ko", "virtio-mmio-cmdline"))
		return true;
	return diag_error(planner->diag, STATUS_INPUT, vm_where(plan->vm, &plan->vm->kernel),
		"kernel-config",
		"kernel: %s would find no devices: it was built without "
		"CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES, which %s needs",
		plan->system.kernel.path, plan->backend->name);
}

static void wish_for_mount(
	struct planner *planner, const struct stage1_mount *mount, struct module_wishes *wishes)
{
	if (strcmp(mount->type, "none") == 0) /* a bind mount */
		return;
	const char *why =
		arena_printf(planner->arena, "%s is mounted on %s", mount->type, mount->target);
	vec_push(planner->arena, wishes, (struct module_wish){mount->type, why, false});
	for (size_t i = 0; i < countof(mount_modules); i++)
		if (strcmp(mount->type, mount_modules[i].type) == 0)
			vec_push(planner->arena, wishes,
				(struct module_wish){
					mount_modules[i].module, "names of files", true});
}

/*
 * dm-verity asks for its algorithm by name, and no dependency tells. The kernel may have a plain
 * one built in, which an alias would find; those for the processor, several times as fast, are
 * modules of their own (up to Linux 6.15; later ones have them in a library).
 */
static void wish_for_verity(struct planner *planner, struct module_wishes *wishes)
{
	static const char *const algorithms[] = {
		"crypto-sha256", "sha256_ssse3", "sha256_arm64", "sha2_ce"};
	if (!planner->plan->vm->store_disk.verity)
		return;
	for (size_t i = 0; i < countof(algorithms); i++)
		vec_push(planner->arena, wishes,
			(struct module_wish){
				algorithms[i], "storeDisk.verity hashes by SHA-256", true});
	vec_push(planner->arena, wishes,
		(struct module_wish){"dm_verity", "storeDisk.verity is on", false});
}

/* Whether the guest's database has to be brought in line with another one. */
static bool runs_nix_db(const struct plan *plan)
{
	const struct nix_state *nix = &plan->storage->nix;
	return nix->database == NIX_DATABASE_HOST_OVERLAY ||
		(nix->database == NIX_DATABASE_PREBUILT && nix->kept);
}

static bool plan_modules(struct planner *planner)
{
	struct plan *plan = planner->plan;
	if (!plan->own_stage1)
		return true;
	if (!stage1_has_program(STAGE1_INIT, plan->guest.arch))
		return diag_error(planner->diag, STATUS_INPUT,
			vm_where(plan->vm, &plan->vm->kernel), "foreign-stage1",
			"this mvmbuild was built without a first stage for %s guests: build it "
			"where %s-linux-gnu-gcc is, or give an initrd",
			kernel_arch_name(plan->guest.arch), kernel_arch_name(plan->guest.arch));
	if (runs_nix_db(plan) && !stage1_has_program(NIX_DB_PROGRAM, plan->guest.arch))
		return diag_error(planner->diag, STATUS_INPUT,
			vm_where(plan->vm, &plan->vm->kernel), "foreign-stage1",
			"this mvmbuild has no " NIX_DB_PROGRAM
			" for %s guests, which a Nix database that is kept needs; without a volume "
			"or share under it "
			"and under the writable store, it is made anew at each boot",
			kernel_arch_name(plan->guest.arch));
	struct module_wishes wishes = {0};
	plan->backend->modules(planner->arena, &plan->guest, &wishes);
	wish_for_devices(planner, &wishes);
	wish_for_verity(planner, &wishes);
	for (size_t i = 0; i < plan->mounts.n; i++)
		wish_for_mount(planner, &plan->mounts.v[i], &wishes);
	if (plan->storage->nix.database == NIX_DATABASE_HOST_OVERLAY)
		vec_push(planner->arena, &wishes,
			(struct module_wish){
				"overlay", "the guest's Nix database is an overlay", false});
	for (size_t i = 0; i < plan->vm->stage1.modules.n; i++)
		vec_push(planner->arena, &wishes,
			(struct module_wish){plan->vm->stage1.modules.v[i],
				"stage1.modules asks for it", false});
	const struct module_question question = {.directory = plan->system.kernel_modules,
		.version = plan->system.kernel.version,
		.where = vm_where(plan->vm, &plan->vm->kernel),
		.wishes = wishes.v,
		.nwishes = wishes.n};
	return shared_modules(
		       plan->shared, planner->arena, planner->diag, &question, &plan->modules) &&
		check_mmio_parameters(planner);
}

/* ---- the kernel's parameters ---- */

/* Where a parameter was written, and what it is called there. */
static const struct pos *parameter_place(const struct plan *plan, size_t i)
{
	const struct pos *where = vm_where(plan->vm, plan->system.parameters.v[i]);
	return where ? where : vm_where(plan->vm, &plan->vm->toplevel);
}

static bool refuse_parameter(struct planner *planner, size_t i, const char *why)
{
	const struct plan *plan = planner->plan;
	const char *parameter = plan->system.parameters.v[i];
	const char *option =
		vm_where(plan->vm, parameter) ? "kernelParams" : "toplevel: its kernel parameters";
	return diag_error(planner->diag, STATUS_DESCRIPTION, parameter_place(plan, i),
		"bad-parameter", "%s: \"%.200s\": %s", option, parameter, why);
}

/*
 * What it names in the store is in the guest, else the guest looks for an init, or for what its Nix
 * is to know, that is not there.
 */
static bool check_named_path(struct planner *planner, size_t i)
{
	const struct plan *plan = planner->plan;
	const char *store = plan->vm->store_dir, *at = plan->system.parameters.v[i];
	for (size_t length = strlen(store); (at = strstr(at, store)); at += length) {
		size_t end =
			at[length] == '/' ? length + 1 + strcspn(at + length + 1, "/:,;\" ") : 0;
		if (end <= length + 1)
			continue;
		const char *path = arena_strndup(planner->arena, at, end);
		if (!closure_has(&plan->closure, path))
			return refuse_parameter(planner, i,
				arena_printf(planner->arena,
					"%s is not in the closure of this VM, so the guest could "
					"miss it; name it in storePaths",
					path));
	}
	return true;
}

/*
 * A registration that does not know the running system makes of it what the guest's next collection
 * of garbage deletes.
 */
static bool check_registers(struct planner *planner, size_t i, const char *file)
{
	const struct plan *plan = planner->plan;
	struct bytes text;
	if (!in_store(plan->vm, file))
		return true;
	if (!path_exists(file))
		return refuse_parameter(planner, i, "there is no such file");
	if (!file_read(planner->arena, planner->diag, file, REGISTRATION_BYTES, &text))
		return false;
	const char *line = arena_printf(planner->arena, "%s\n", plan->system.toplevel);
	for (const char *at = text.p; (at = strstr(at, line)); at++)
		if (at == text.p || at[-1] == '\n')
			return true;
	return refuse_parameter(planner, i,
		arena_printf(planner->arena,
			"it does not register %s: a collection of garbage in the guest would "
			"delete the running system",
			plan->system.toplevel));
}

static bool check_parameter(struct planner *planner, size_t i)
{
	const char *parameter = planner->plan->system.parameters.v[i],
		   *problem = parameter_problem(parameter);
	/* those of the description have been checked */
	if (problem && !vm_where(planner->plan->vm, parameter))
		return refuse_parameter(planner, i, problem);
	if (!check_named_path(planner, i))
		return false;
	const char *registration = parameter_value(planner->arena, parameter, "regInfo"),
		   *init = parameter_value(planner->arena, parameter, "init");
	if (init && in_store(planner->plan->vm, init) && !path_exists(init))
		return refuse_parameter(planner, i, "there is no such file");
	return !registration || check_registers(planner, i, registration);
}

/*
 * With an initrd that is not ours, the guest's Nix knows what a registration tells it, and nothing
 * else.
 */
static bool check_guest_database(struct planner *planner)
{
	const struct plan *plan = planner->plan;
	const struct vm *vm = plan->vm;
	if (plan->own_stage1 || !vm->writable_store_overlay)
		return true;
	for (size_t i = 0; i < plan->system.parameters.n; i++)
		if (parameter_value(planner->arena, plan->system.parameters.v[i], "regInfo"))
			return true;
	diag_error(planner->diag, STATUS_DESCRIPTION, vm_where(vm, &vm->writable_store_overlay),
		"bad-nix-database",
		"writableStoreOverlay: with an initrd that is not ours nothing tells the guest's "
		"Nix what is in the store, and a collection of garbage in the guest "
		"would delete the running system; pack a closureInfo by storePaths, and name its "
		"registration by kernelParams: [regInfo=...]");
	diag_note(planner->diag, vm_where(vm, &vm->initrd), "bad-nix-database",
		"the initrd is given here");
	return false;
}

/* All of them, so that all mistakes are told. */
static bool check_parameters(struct planner *planner)
{
	bool ok = true;
	for (size_t i = 0; i < planner->plan->system.parameters.n; i++)
		ok &= check_parameter(planner, i);
	return ok & check_guest_database(planner);
}

static bool has_parameter(const struct strings *parameters, const char *start)
{
	for (size_t i = 0; i < parameters->n; i++)
		if (strncmp(parameters->v[i], start, strlen(start)) == 0)
			return true;
	return false;
}

#define MACHINE_ID "systemd.machine_id="

/*
 * Where there is no SMBIOS to have it, the guest's systemd takes its machine id from this parameter
 * (systemd(1), machine-id(5)). It goes before what is in the guest's /etc/machine-id, so only an id
 * that was asked for is passed. Empty: none is.
 */
static const char *machine_id_parameter(struct planner *planner)
{
	const struct plan *plan = planner->plan;
	const char *id = plan->vm->machine_id;
	if (!id || !vm_where(plan->vm, &plan->vm->machine_id) ||
		has_parameter(&plan->system.parameters, MACHINE_ID) ||
		(plan->backend->smbios && plan->backend->smbios(plan->vm, plan->guest.arch)))
		return "";
	char digits[33] = "";
	for (size_t n = 0; *id && n < sizeof digits - 1; id++)
		if (*id != '-')
			digits[n++] = *id;
	return arena_printf(planner->arena, " " MACHINE_ID "%s", digits);
}

static bool plan_parameters(struct planner *planner)
{
	struct plan *plan = planner->plan;
	const char *text = "";
	bool has_init = false;
	for (size_t i = 0; i < plan->system.parameters.n; i++) {
		const char *parameter = plan->system.parameters.v[i];
		has_init |= parameter_value(planner->arena, parameter, "init") != NULL;
		text = arena_printf(planner->arena, "%s%s%s", text, *text ? " " : "",
			parameter_quoted(planner->arena, parameter));
	}
	if (!has_init)
		text = arena_printf(
			planner->arena, "%s%sinit=%s", text, *text ? " " : "", plan->system.init);
	if (plan->storage->nix.database == NIX_DATABASE_REGISTRATION)
		text = arena_printf(planner->arena, "%s regInfo=%s", text,
			nix_registration_path(planner->arena, &plan->storage->nix));
	text = arena_printf(planner->arena, "%s%s", text, machine_id_parameter(planner));
	plan->guest.parameters = text;
	return true;
}

/* With those of ours for the hypervisor, when they are among its arguments. */
static size_t known_parameter_bytes(const struct plan *plan)
{
	for (size_t i = 0; i < plan->lowered.command.arguments.n; i++) {
		const struct pieces *pieces = &plan->lowered.command.arguments.v[i].pieces;
		if (pieces->n > 1 && pieces->v[pieces->n - 1].kind == PIECE_PARAMETERS)
			return strlen(pieces->v[0].text);
	}
	return strlen(plan->guest.parameters);
}

/* What the kernel does not read it cuts off, or the hypervisor refuses it when the VM starts. */
static bool check_parameters_length(struct planner *planner)
{
	const struct plan *plan = planner->plan;
	size_t added = START_BYTES +
		(plan->backend->parameter_bytes ? plan->backend->parameter_bytes(&plan->guest) : 0);
	size_t own = known_parameter_bytes(plan) - strlen(plan->guest.parameters) + added,
	       length = strlen(plan->guest.parameters);
	if (length + own <= COMMAND_LINE_BYTES)
		return true;
	return diag_error(planner->diag, STATUS_DESCRIPTION,
		vm_where(plan->vm, &plan->vm->kernel_params), "long-parameters",
		"the kernel parameters have %zu bytes; a kernel's command line has room for %d, of "
		"which %s takes %zu",
		length, COMMAND_LINE_BYTES, plan->backend->name, own);
}

/* ---- the hypervisor's arguments ---- */

static size_t argument_bytes(const struct argument *argument)
{
	size_t bytes = 0;
	for (size_t i = 0; i < argument->pieces.n; i++)
		bytes += argument->pieces.v[i].kind == PIECE_TEXT
			? strlen(argument->pieces.v[i].text)
			: LATE_BYTES;
	return bytes;
}

/* What one value cannot be has been said where it is written; several can be together. */
static bool check_arguments_length(struct planner *planner)
{
	const struct plan *plan = planner->plan;
	const struct pos *where = vm_where(plan->vm, &plan->vm->hypervisor);
	size_t all = 0;
	const char *option = "";
	for (size_t i = 0; i < plan->lowered.command.arguments.n; i++) {
		const struct argument *argument = &plan->lowered.command.arguments.v[i];
		size_t bytes = argument_bytes(argument);
		if (bytes > ARGUMENT_BYTES)
			return diag_error(planner->diag, STATUS_DESCRIPTION, where, "too-long",
				"%s could not start: its argument %.40s would have %zu bytes, and "
				"Linux passes %d",
				plan->backend->name, option, bytes, ARGUMENT_BYTES);
		all += bytes + 1 + sizeof(char *);
		option = argument->pieces.n ? argument->pieces.v[0].text : NULL;
		option = option ? option : "";
	}
	return all <= ARGUMENTS_BYTES ||
		diag_error(planner->diag, STATUS_DESCRIPTION, where, "too-long",
			"%s could not start: its arguments would have %zu bytes, and as a rule "
			"Linux passes 2 MiB, with the environment",
			plan->backend->name, all);
}

static bool check_kernel(struct planner *planner)
{
	struct plan *plan = planner->plan;
	const struct kernel *kernel = &plan->system.kernel;
	const struct pos *where = vm_where(plan->vm, &plan->vm->kernel);
	plan->guest.arch = kernel->arch;
	plan->guest.foreign = !plan->backend->macos && kernel->arch != KERNEL_HOST_ARCH;
	if (plan->guest.foreign && plan->backend->capabilities[FEATURE_CPU].can != CAN)
		return diag_error(planner->diag, STATUS_INPUT, where, "foreign-kernel",
			"kernel: %s is for %s, and %s cannot emulate it on this machine",
			kernel->path, kernel_arch_name(kernel->arch), plan->backend->name);
	if (takes_kernel(plan, kernel->format) || needs_unpacking(plan))
		return true;
	return diag_error(planner->diag, STATUS_INPUT, where, "kernel-format",
		"kernel: %s is a %s, which %s does not boot", kernel->path,
		kernel_format_name(kernel->format), plan->backend->name);
}

/* SOURCE_DATE_EPOCH, else 1, which is the time of everything in a Nix store. */
static uint32_t build_time(void)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	char *end;
	unsigned long long seconds = text && *text ? strtoull(text, &end, 10) : 1;
	return !text || !*text || *end || seconds > UINT32_MAX ? 1 : (uint32_t)seconds;
}

bool plan_make(struct arena *arena, struct diag *diag, const struct vm *vm,
	const struct storage *storage, const struct system *system, struct shared *shared,
	unsigned jobs, struct plan *plan)
{
	*plan = (struct plan){.vm = vm,
		.storage = storage,
		.backend = vm->hypervisor,
		.system = *system,
		.time = build_time(),
		.shared = shared};
	plan->guest.vm = vm;
	struct planner planner = {arena, diag, plan};
	shared_expect(shared, system->kernel.path);
	bool ok = check_kernel(&planner), closed = plan_closure(&planner, jobs);
	ok &= closed;
	storage_lower(arena, vm, storage, &plan->guest);
	storage_mounts(arena, vm, storage, plan->backend, &plan->guest, &plan->mounts);
	plan_nics(&planner);
	plan_created_volumes(&planner);
	plan_boot_files(&planner);
	plan_roots(&planner);
	/* The module that is missing for the same reason would be told too. */
	ok &= kernel_support_check(arena, diag, plan) && plan_modules(&planner);
	ok &= plan_parameters(&planner);
	/* Without a closure each would miss it. */
	ok &= !closed || check_parameters(&planner);
	if (plan->backend->check_guest)
		ok &= plan->backend->check_guest(diag, &plan->guest);
	if (!ok)
		return false;
	plan->backend->lower(arena, &plan->guest, &plan->lowered);
	const struct pos *shutdown = vm_where(plan->vm, &plan->vm->shutdown_timeout);
	if (shutdown && !plan->lowered.shutdown.n)
		diag_warning(diag, shutdown, "ignored",
			"shutdownTimeout: ignored, as %s cannot ask a guest to go down",
			plan->backend->name);
	ok &= check_parameters_length(&planner);
	ok &= check_arguments_length(&planner);
	return ok;
}
