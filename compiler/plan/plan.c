/* SPDX-License-Identifier: MIT */
#include "compiler/plan/plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/nix_hash.h"
#include "base/number.h"
#include "base/shape.h"
#include "compiler/plan/kernel_support.h"
#include "compiler/plan/planner.h"
#include "compiler/storage/host_store.h"
#include "compiler/storage/guest.h"
#include "compiler/storage/volume.h"
#include "imaging/initrd/stage1.h"
#include "imaging/store/nar_hash.h"

/*
 * Limits of one argument (MAX_ARG_STRLEN in include/uapi/linux/binfmts.h, including its 0 byte) and
 * of all arguments with the environment (a quarter of the stack limit, usually 8 MiB; fs/exec.c,
 * bprm_stack_limits). Pieces that are known only at the start are a path or kernel parameters.
 */
enum { ARGUMENT_BYTES = 131071, ARGUMENTS_BYTES = 3 << 19, LATE_BYTES = 4096 };

/* ---- closure ---- */

/* Like the name of a store path: 160 bits of the hash in base 32, and the directory's name. */
static const char *rootfs_name(struct arena *arena, const char *hash, const char *directory)
{
	enum { NAME_HASH_BYTES = 20 };
	unsigned char digest[NIX_HASH_BYTES];
	char digits[NIX_HASH_MAX_DIGITS + 1];
	nix_hash_decode(hash, digest, sizeof digest);
	nix32_encode(digest, NAME_HASH_BYTES, digits);
	char *name = arena_strdup(arena, path_base(directory));
	for (char *c = name; *c; c++)
		if (!is_made_of((const char[]){*c, '\0'}, "-._+"))
			*c = '-';
	return arena_printf(arena, "%s-%.100s", digits, name);
}

/* The closure of a root file system is one path, which exists only in the image. */
static bool plan_rootfs(struct planner *planner)
{
	struct plan *plan = planner->plan;
	struct arena *arena = planner->arena;
	const char *directory = plan->system.rootfs;
	char hash[NAR_HASH_DIGITS + 1];
	uint64_t size;
	if (!tree_hash(planner->diag, directory, hash, &size))
		return false;
	struct store_path *path = arena_alloc(arena, sizeof *path);
	*path = (struct store_path){.name = rootfs_name(arena, hash, directory),
		.rootfs = directory,
		.nar_hash = arena_strdup(arena, hash),
		.nar_size = (int64_t)size};
	path->path = path_join(arena, plan->vm->store_dir, path->name);
	plan->closure = (struct closure){.v = path,
		.n = 1,
		.store_dir = plan->vm->store_dir,
		.source = arena_printf(arena, "the root file system %s", directory)};
	plan->system.toplevel = path->path;
	return true;
}

/* The roots are the toplevel, which may be NULL, and storePaths. */
static struct closure_request request_of(
	struct arena *arena, const struct vm *vm, const char *toplevel)
{
	struct closure_request request = {.store_dir = vm->store_dir,
		.file = vm->closure,
		.file_pos = vm_where(vm, &vm->closure)};
	VEC(struct pos) places = {0};
	const struct pos nowhere = {0}, *where = vm_where(vm, &vm->toplevel);
	if (toplevel) {
		vec_push(arena, &request.roots, toplevel);
		vec_push(arena, &places, where ? *where : nowhere);
	}
	for (size_t i = 0; i < vm->store_paths.n; i++) {
		where = vm_where(vm, vm->store_paths.v[i]);
		vec_push(arena, &request.roots, vm->store_paths.v[i]);
		vec_push(arena, &places, where ? *where : nowhere);
	}
	request.roots_pos = places.v;
	return request;
}

static bool plan_closure(struct planner *planner, unsigned jobs, const struct meter *meter)
{
	const struct vm *vm = planner->plan->vm;
	struct closure_request request = request_of(planner->arena, vm, vm->toplevel);
	request.jobs = jobs;
	request.meter = meter;
	request.memo = shared_closures(planner->plan->shared);
	return closure_load(planner->arena, planner->diag, &request, &planner->plan->closure);
}

void plan_check_paths(struct arena *arena, struct diag *diag, const struct vm *vm)
{
	const struct closure_request request = request_of(arena, vm, NULL);
	if (!vm_refused(vm, &vm->store_dir))
		closure_check(arena, diag, &request);
}

/* ---- network ---- */

/* microvm.nix's units create all taps of a VM alike. */
static bool taps_have_queues(const struct plan *plan)
{
	for (size_t i = 0; i < plan->guest.nnics; i++)
		if (plan->guest.nics[i].interface->type == INTERFACE_TAP &&
			plan->guest.nics[i].queues == 1)
			return false;
	return plan->backend->multi_queue && plan->vm->vcpu > 1;
}

static void plan_created_volumes(struct planner *planner)
{
	const struct vm *vm = planner->plan->vm;
	for (size_t i = 0; i < vm->volumes.n; i++) {
		const struct volume *volume = &vm->volumes.v[i];
		struct created_volume created = {.volume = volume};
		if (!volume->auto_create)
			continue;
		if (volume_by_mkfs(volume, file_system_created(volume->fs_type)))
			volume_mkfs(planner->arena, vm, volume, &created.mkfs);
		else
			created.archive =
				arena_printf(planner->arena, RUNNER_VOLUMES "/%zu.tar.gz", i);
		vec_push(planner->arena, &planner->plan->created, created);
	}
}

/* ---- kernel and stage 1 ---- */

static bool takes_kernel(const struct plan *plan, enum kernel_format format)
{
	const struct backend *backend = plan->backend;
	for (size_t i = 0; i < backend->nkernels; i++)
		if (backend->kernels[i] == format)
			return !backend->boots || backend->boots(&plan->guest, format);
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
	plan->copies_kernel = !plan->unpacks_kernel && !is_in_store(plan->vm, system->kernel.path);
	plan->guest.kernel = plan->unpacks_kernel ? (struct file_ref){RUNNER_VMLINUX, true}
		: plan->copies_kernel             ? (struct file_ref){RUNNER_KERNEL, true}
						  : (struct file_ref){system->kernel.path, false};
	plan->copies_initrd = system->initrd && !is_in_store(plan->vm, system->initrd);
	bool carried = plan->own_stage1 || plan->copies_initrd;
	plan->guest.initrd = carried ? (struct file_ref){RUNNER_INITRD, true}
				     : (struct file_ref){system->initrd, false};
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

/* Single values were checked where they are bound; here several add up to one argument. */
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
				"%s could not start: its argument %.40s would have %zu bytes; "
				"Linux allows %d",
				plan->backend->name, option, bytes, ARGUMENT_BYTES);
		all += bytes + 1 + sizeof(char *);
		option = argument->pieces.n ? argument->pieces.v[0].text : NULL;
		option = option ? option : "";
	}
	return all <= ARGUMENTS_BYTES ||
		diag_error(planner->diag, STATUS_DESCRIPTION, where, "too-long",
			"%s could not start: its arguments would have %zu bytes; Linux usually "
			"allows 2 MiB, including the environment",
			plan->backend->name, all);
}

static enum kernel_arch host_arch(const struct vm *vm)
{
	switch (vm->host_system) {
	case HOST_X86_64:
	case HOST_MAC_X86_64:
		return KERNEL_X86_64;
	case HOST_AARCH64:
	case HOST_MAC_AARCH64:
		return KERNEL_AARCH64;
	case HOST_NATIVE:
		break;
	}
	return KERNEL_HOST_ARCH;
}

/* Whether this mvmbuild contains the runner's programs for the host. */
static bool check_host(struct planner *planner)
{
	const struct plan *plan = planner->plan;
	const struct vm *vm = plan->vm;
	const struct pos *where = vm_where(vm, &vm->host_system);
	const bool overlay = plan->storage->nix.database == NIX_DATABASE_HOST_OVERLAY;
	const char *system = host_system_names[vm->host_system];
	if (vm->host_system == HOST_NATIVE)
		return true;
	if (host_is_mac(vm->host_system))
		return plan->backend->macos || plan->backend->also_macos ||
			diag_error(planner->diag, STATUS_DESCRIPTION, where, "foreign-host",
				"hostSystem: %s does not run on macOS; qemu and vfkit do",
				plan->backend->name);
	if (plan->backend->macos)
		return diag_error(planner->diag, STATUS_DESCRIPTION, where, "foreign-host",
			"hostSystem: %s runs on macOS, not on %s", plan->backend->name, system);
	if (!program_embedded("mvm-host", plan->host_arch))
		return diag_error(planner->diag, STATUS_INPUT, where, "foreign-host",
			"hostSystem: this mvmbuild was built without mvm-host for %s; build it "
			"with %s-linux-gnu-gcc installed",
			system, kernel_arch_name(plan->host_arch));
	if (overlay && !program_embedded(NIX_DB_PROGRAM, plan->host_arch))
		return diag_error(planner->diag, STATUS_INPUT, where, "foreign-host",
			"hostSystem: this mvmbuild has no " NIX_DB_PROGRAM
			" for %s, which nixDatabase: hostOverlay needs on the host; choose another "
			"nixDatabase",
			system);
	return true;
}

/*
 * The host may be another machine, so this is only a warning; but no script, not even
 * microvm-check, could report a shell that is missing.
 */
static void warn_of_shell(struct planner *planner)
{
	const struct vm *vm = planner->plan->vm;
	const struct pos *where = vm_where(vm, &vm->host_shell);
	const char *path =
		arena_strndup(planner->arena, vm->host_shell, strcspn(vm->host_shell, " "));
	if (!where || vm->host_system != HOST_NATIVE || access(path, X_OK) == 0)
		return;
	diag_warning(planner->diag, where, "missing-shell",
		"hostShell: %s %s on this machine; none of the runner's scripts starts where it "
		"is missing",
		path, path_exists(path) ? "cannot be executed" : "does not exist");
}

static bool check_kernel(struct planner *planner)
{
	struct plan *plan = planner->plan;
	const struct kernel *kernel = &plan->system.kernel;
	const struct pos *where = vm_where(plan->vm, &plan->vm->kernel);
	plan->guest.arch = kernel->arch;
	plan->guest.foreign = !plan->backend->macos && kernel->arch != plan->host_arch;
	if (plan->guest.foreign && plan->backend->capabilities[FEATURE_CPU].can != CAN)
		return diag_error(planner->diag, STATUS_INPUT, where, "foreign-kernel",
			"kernel: %s is for %s, and %s cannot emulate it on an %s host",
			kernel->path, kernel_arch_name(kernel->arch), plan->backend->name,
			kernel_arch_name(plan->host_arch));
	if (takes_kernel(plan, kernel->format) || needs_unpacking(plan))
		return true;
	return diag_error(planner->diag, STATUS_INPUT, where, "kernel-format",
		"kernel: %s is a %s, which %s does not boot", kernel->path,
		kernel_format_name(kernel->format), plan->backend->name);
}

/* ---- memory ---- */

enum { MIB = 1 << 20 };

/*
 * The memory that a guest needs in addition to its kernel. Debian's 6.1 ends at 80 MiB: with less
 * it dies without a message, with 80 it runs out of memory, and with 84 it boots our stage 1 and
 * busybox (QEMU 7.2, TCG).
 */
enum { SPARE_MIB = 16 };

static uint64_t file_bytes(const char *path)
{
	struct stat st;
	return path && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* While the guest boots, its memory holds the kernel, and the initrd as it was loaded. */
static bool check_memory(struct planner *planner)
{
	const struct vm *vm = planner->plan->vm;
	const struct system *system = &planner->plan->system;
	const struct pos *where = vm_where(vm, &vm->mem_mib);
	const uint64_t bytes = system->kernel.end + file_bytes(system->initrd);
	const unsigned long long least = (bytes + MIB - 1) / MIB, mem = vm->mem_mib;
	const char *need = system->initrd ? "the kernel and the initrd need" : "the kernel needs";
	if (!system->kernel.end || mem >= least + SPARE_MIB)
		return true;
	if (mem < least)
		return diag_error(planner->diag, STATUS_DESCRIPTION, where, "bad-memory",
			"mem: %s %llu MiB to boot, not %llu; use %llu or more", need, least, mem,
			least + SPARE_MIB);
	diag_warning(planner->diag, where, "little-memory",
		"mem: %llu MiB is little, because %s %llu MiB of it to boot; use %llu or more", mem,
		need, least, least + SPARE_MIB);
	return true;
}

/* SOURCE_DATE_EPOCH, or 1, the time stamp of all files in a Nix store. */
static uint32_t build_time(void)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	uint64_t seconds;
	return text && number_parse(text, 0, UINT32_MAX, &seconds) ? (uint32_t)seconds : 1;
}

bool plan_make(struct arena *arena, struct diag *diag, const struct vm *vm,
	const struct storage *storage, const struct system *system, struct shared *shared,
	unsigned jobs, const struct meter *meter, struct plan *plan)
{
	*plan = (struct plan){.vm = vm,
		.storage = storage,
		.backend = vm->hypervisor,
		.system = *system,
		.time = build_time(),
		.shared = shared};
	guest_lower(arena, vm, storage, plan->backend, &plan->guest);
	struct planner planner = {arena, diag, plan};
	shared_expect(shared, system->kernel.path);
	plan->host_arch = host_arch(vm);
	bool ok = check_kernel(&planner),
	     closed = system->rootfs ? plan_rootfs(&planner) : plan_closure(&planner, jobs, meter);
	ok &= closed;
	ok &= check_host(&planner);
	warn_of_shell(&planner);
	ok &= check_memory(&planner);
	storage_mounts(arena, vm, storage, &plan->guest, &plan->mounts);
	if (system->rootfs && closed)
		storage_complete_root(arena, plan->closure.v[0].name, &plan->mounts);
	plan->tap_multi_queue = taps_have_queues(plan);
	plan_created_volumes(&planner);
	plan_boot_files(&planner);
	plan_steps(&planner);
	/* If the kernel lacks support, the missing module would only repeat the error. */
	ok &= kernel_support_check(arena, diag, plan) && plan_modules(&planner);
	plan_parameters(&planner);
	/* Without a closure each parameter with a store path would be refused. */
	ok &= !closed || plan_check_parameters(&planner);
	if (plan->backend->check_guest)
		ok &= plan->backend->check_guest(diag, vm, &plan->guest);
	if (!ok)
		return false;
	plan->backend->lower(arena, &plan->guest, &plan->lowered);
	const struct pos *shutdown = vm_where(plan->vm, &plan->vm->shutdown_timeout);
	if (shutdown && !plan->lowered.shutdown.n)
		diag_warning(diag, shutdown, "ignored",
			"shutdownTimeout: ignored, because %s cannot ask a guest to shut down",
			plan->backend->name);
	ok &= plan_check_parameters_length(&planner);
	ok &= check_arguments_length(&planner);
	return ok;
}
