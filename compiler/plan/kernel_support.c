/* SPDX-License-Identifier: MIT */
#include "compiler/plan/kernel_support.h"

#include <string.h>

#include "compiler/storage/file_systems.h"
#include "compiler/storage/store_formats.h"
#include "imaging/kernel/config.h"

/* For mounts without a disk; compiler/storage/file_systems.c has those of disks. */
static const struct {
	const char *type, *option;
} needs[] = {
	{"overlay", "OVERLAY_FS"},
	{"9p", "9P_FS"},
	{"9p", "NET_9P_VIRTIO"},
	{"virtiofs", "VIRTIO_FS"},
};

static bool refuse(struct diag *diag, const struct plan *plan, const struct kernel_config *config,
	const struct stage1_mount *mount, const char *option, const void *field, const char *why)
{
	const struct pos *where = vm_where(plan->vm, field);
	return diag_error(diag, STATUS_INPUT, where ? where : vm_where(plan->vm, &plan->vm->kernel),
		"kernel-config", "kernel: %s cannot mount %s (%s): CONFIG_%s %s; see %s",
		plan->system.kernel.path, mount->target, mount->type, option, why, config->path);
}

static bool check_option(struct diag *diag, const struct plan *plan,
	const struct kernel_config *config, const struct stage1_mount *mount, const char *option)
{
	enum kernel_option is = kernel_config_option(config, option);
	if (is == OPTION_ABSENT)
		return refuse(diag, plan, config, mount, option, &plan->vm->kernel, "is not set");
	if (is == OPTION_MODULE && plan->own_stage1 && !plan->system.kernel_modules)
		return refuse(diag, plan, config, mount, option, &plan->vm->kernel_modules,
			"is a module, but kernelModules is not set");
	return true;
}

static bool is_store_disk(const struct guest_mount *mount)
{
	return mount->disk && !mount->disk->volume;
}

/*
 * The kernel option that decompresses the store disk; NULL if its file system needs no other
 * option.
 */
static const char *unpack_option(const struct vm *vm)
{
	return store_formats[vm->store_disk.type].kernel_options[vm->store_disk.compression];
}

static bool check_mount(struct diag *diag, const struct plan *plan,
	const struct kernel_config *config, const struct guest_mount *guest_mount)
{
	const struct stage1_mount *mount = &guest_mount->stage1;
	const bool is_store = is_store_disk(guest_mount);
	const struct file_system *system = file_system_find(mount->type);
	const char *unpack = is_store ? unpack_option(plan->vm) : NULL;
	bool ok = true;
	if (is_store && plan->vm->store_disk.verity)
		ok = check_option(diag, plan, config, mount, "DM_VERITY");
	if (ok && is_store && plan->vm->store_disk.device == STORE_PMEM)
		ok = check_option(diag, plan, config, mount, "VIRTIO_PMEM") &&
			check_option(diag, plan, config, mount, "BLK_DEV_PMEM") &&
			check_option(diag, plan, config, mount, "FS_DAX");
	if (ok && system && system->kernel_option)
		ok = check_option(diag, plan, config, mount, system->kernel_option);
	if (ok && unpack)
		ok = check_option(diag, plan, config, mount, unpack);
	if (ok && strcmp(mount->type, "virtiofs") == 0 && strcmp(mount->options, "dax=always") == 0)
		ok = check_option(diag, plan, config, mount, "FUSE_DAX");
	for (size_t i = 0; ok && i < countof(needs); i++)
		if (strcmp(mount->type, needs[i].type) == 0)
			ok = check_option(diag, plan, config, mount, needs[i].option);
	return ok;
}

bool kernel_support_check(struct arena *arena, struct diag *diag, const struct plan *plan)
{
	const struct kernel_config config =
		kernel_config_find(arena, &plan->system.kernel, plan->system.kernel_modules);
	bool ok = true;
	for (size_t i = 0; config.text && i < plan->mounts.n; i++)
		ok &= check_mount(diag, plan, &config, &plan->mounts.v[i]);
	return ok;
}
