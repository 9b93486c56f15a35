/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "compiler/plan/planner.h"
#include "compiler/storage/file_systems.h"

static bool has_share(const struct guest *guest, enum share_proto proto)
{
	for (size_t i = 0; i < guest->nshares; i++)
		if (guest->shares[i]->proto == proto)
			return true;
	return false;
}

#define PMEM_WHY "the store disk is persistent memory"

static bool has_pmem(const struct guest *guest)
{
	return guest->ndisks && guest->disks[0].pmem;
}

static bool has_block_disk(const struct guest *guest)
{
	return guest->ndisks > has_pmem(guest);
}

/* All hypervisors have virtio devices; only the bus differs. */
static void wish_for_devices(struct planner *planner, struct module_wishes *wishes)
{
	const struct plan *plan = planner->plan;
	const struct vm *vm = plan->vm;
	const struct {
		bool wanted;
		struct module_wish wish;
	} all[] = {
		{has_block_disk(&plan->guest), {"virtio_blk", "the VM has disks", false, NULL}},
		{has_pmem(&plan->guest), {"virtio_pmem", PMEM_WHY, false, NULL}},
		{has_pmem(&plan->guest), {"nd_pmem", PMEM_WHY, false, NULL}},
		{true, {"virtio_rng", "the hypervisor gives the guest random numbers", true, NULL}},
		{plan->guest.nnics > 0,
			{"virtio_net", "the VM has network interfaces", false, NULL}},
		{vm->balloon, {"virtio_balloon", "the VM has a balloon", false, NULL}},
		{vm->hotplug_mem_mib > 0, {"virtio_mem", "the VM has hotplug memory", false, NULL}},
		{vm->vsock.cid >= 0,
			{"vmw_vsock_virtio_transport", "the VM has a vsock", false, NULL}},
		{has_share(&plan->guest, SHARE_9P),
			{"9pnet_virtio", "the VM has 9p shares", false, NULL}},
	};
	for (size_t i = 0; i < countof(all); i++)
		if (all[i].wanted)
			vec_push(planner->arena, wishes, all[i].wish);
}

/*
 * virtio_mmio.ko contains "virtio-mmio-cmdline" only if built with CMDLINE_DEVICES. If it is built
 * into the kernel we cannot check, and assume it.
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
	/* Bind mounts and tmpfs need no module. */
	if (strcmp(mount->type, "none") == 0 || strcmp(mount->type, "tmpfs") == 0)
		return;
	const char *why =
		arena_printf(planner->arena, "%s is mounted on %s", mount->type, mount->target);
	vec_push(planner->arena, wishes, (struct module_wish){mount->type, why, false, NULL});
	const struct file_system *system = file_system_find(mount->type);
	for (size_t i = 0; system && i < FS_MODULES && system->modules[i]; i++)
		vec_push(planner->arena, wishes,
			(struct module_wish){
				system->modules[i], "it converts names of files", true, NULL});
}

/*
 * dm-verity requests its algorithm by name, which is not a dependency. The kernel may have a
 * generic implementation built in, which satisfies an alias. Those for the processor, several times
 * as fast, are separate modules (up to Linux 6.15; later kernels have them in a library).
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
				algorithms[i], "storeDisk.verity hashes by SHA-256", true, NULL});
	vec_push(planner->arena, wishes,
		(struct module_wish){"dm_verity", "storeDisk.verity is on", false, NULL});
}

/* Whether stage 1 must merge another database into the guest's. */
static bool runs_nix_db(const struct plan *plan)
{
	const struct nix_state *nix = &plan->storage->nix;
	return nix->database == NIX_DATABASE_HOST_OVERLAY ||
		(nix->database == NIX_DATABASE_PREBUILT && nix->kept);
}

bool plan_modules(struct planner *planner)
{
	struct plan *plan = planner->plan;
	if (!plan->own_stage1)
		return true;
	if (!stage1_has_program(STAGE1_INIT, plan->guest.arch))
		return diag_error(planner->diag, STATUS_INPUT,
			vm_where(plan->vm, &plan->vm->kernel), "foreign-stage1",
			"this mvmbuild was built without stage 1 for %s guests; build it with "
			"%s-linux-gnu-gcc installed, or set initrd",
			kernel_arch_name(plan->guest.arch), kernel_arch_name(plan->guest.arch));
	if (runs_nix_db(plan) && !stage1_has_program(NIX_DB_PROGRAM, plan->guest.arch))
		return diag_error(planner->diag, STATUS_INPUT,
			vm_where(plan->vm, &plan->vm->kernel), "foreign-stage1",
			"this mvmbuild has no " NIX_DB_PROGRAM
			" for %s guests%s, which a persistent Nix database needs; without a volume "
			"or share for it and for the writable store, the database is created at "
			"each boot",
			kernel_arch_name(plan->guest.arch),
			plan->guest.arch == KERNEL_HOST_ARCH
				? " (it was built without a static SQLite)"
				: "");
	struct module_wishes wishes = {0};
	plan->backend->modules(planner->arena, &plan->guest, &wishes);
	wish_for_devices(planner, &wishes);
	wish_for_verity(planner, &wishes);
	for (size_t i = 0; i < plan->mounts.n; i++)
		wish_for_mount(planner, &plan->mounts.v[i].stage1, &wishes);
	if (plan->storage->nix.database == NIX_DATABASE_HOST_OVERLAY)
		vec_push(planner->arena, &wishes,
			(struct module_wish){
				"overlay", "the guest's Nix database is an overlay", false, NULL});
	for (size_t i = 0; i < plan->vm->stage1.modules.n; i++)
		vec_push(planner->arena, &wishes,
			(struct module_wish){plan->vm->stage1.modules.v[i],
				"stage1.modules asks for it", false,
				vm_where(plan->vm, plan->vm->stage1.modules.v[i])});
	const struct pos *where = vm_where(plan->vm, &plan->vm->kernel_modules);
	const struct module_question question = {.directory = plan->system.kernel_modules,
		.version = plan->system.kernel.version,
		.where = where ? where : vm_where(plan->vm, &plan->vm->kernel),
		.wishes = wishes.v,
		.nwishes = wishes.n};
	return shared_modules(
		       plan->shared, planner->arena, planner->diag, &question, &plan->modules) &&
		check_mmio_parameters(planner);
}
