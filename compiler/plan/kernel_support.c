/* SPDX-License-Identifier: MIT */
#include "compiler/plan/kernel_support.h"

#include <string.h>

#include "compiler/storage/file_systems.h"
#include "imaging/kernel/config.h"

/* What a mount needs; of the store disk also what unpacks it. */
static const struct {
	const char *type, *compression; /* NULL: any */
	const char *option;
} needs[] = {
	{"squashfs", "zstd", "SQUASHFS_ZSTD"},
	{"squashfs", "gzip", "SQUASHFS_ZLIB"},
	{"squashfs", "xz", "SQUASHFS_XZ"},
	{"squashfs", "lz4", "SQUASHFS_LZ4"},
	{"squashfs", "lzo", "SQUASHFS_LZO"},
	{"erofs", "lz4", "EROFS_FS_ZIP"},
	{"erofs", "lz4hc", "EROFS_FS_ZIP"},
	{"erofs", "lzma", "EROFS_FS_ZIP_LZMA"},
	{"erofs", "deflate", "EROFS_FS_ZIP_DEFLATE"},
	{"erofs", "zstd", "EROFS_FS_ZIP_ZSTD"},
	{"overlay", NULL, "OVERLAY_FS"},
	{"9p", NULL, "9P_FS"},
	{"9p", NULL, "NET_9P_VIRTIO"},
	{"virtiofs", NULL, "VIRTIO_FS"},
};

static bool refuse(struct diag *diag, const struct plan *plan, const struct kernel_config *config,
	const struct stage1_mount *mount, const char *option, const char *why)
{
	return diag_error(diag, STATUS_INPUT, vm_where(plan->vm, &plan->vm->kernel),
		"kernel-config", "kernel: %s cannot mount %s (%s): CONFIG_%s %s, says %s",
		plan->system.kernel.path, mount->target, mount->type, option, why, config->path);
}

static bool check_option(struct diag *diag, const struct plan *plan,
	const struct kernel_config *config, const struct stage1_mount *mount, const char *option)
{
	enum kernel_option is = kernel_config_option(config, option);
	if (is == OPTION_ABSENT)
		return refuse(diag, plan, config, mount, option, "is not set");
	if (is == OPTION_MODULE && plan->own_stage1 && !plan->system.kernel_modules)
		return refuse(diag, plan, config, mount, option,
			"is a module, and kernelModules are not given");
	return true;
}

static bool check_mount(struct diag *diag, const struct plan *plan,
	const struct kernel_config *config, const struct stage1_mount *mount)
{
	/* Volumes are not made of these. */
	bool is_store = plan->vm->store_on_disk &&
		strcmp(mount->type, store_type_names[plan->vm->store_disk.type]) == 0;
	const bool is_mapped = strncmp(mount->source, STAGE1_MAPPED, strlen(STAGE1_MAPPED)) == 0;
	const struct file_system *system = file_system_find(mount->type);
	bool ok = !is_mapped || check_option(diag, plan, config, mount, "DM_VERITY");
	if (ok && system && system->kernel_option)
		ok = check_option(diag, plan, config, mount, system->kernel_option);
	for (size_t i = 0; ok && i < countof(needs); i++) {
		bool is_compression = needs[i].compression && is_store &&
			strcmp(needs[i].compression,
				compression_names[plan->vm->store_disk.compression]) == 0;
		if (strcmp(mount->type, needs[i].type) == 0 &&
			(!needs[i].compression || is_compression))
			ok = check_option(diag, plan, config, mount, needs[i].option);
	}
	return ok;
}

bool kernel_support_check(struct arena *arena, struct diag *diag, const struct plan *plan)
{
	const struct kernel_config config =
		kernel_config_find(arena, &plan->system.kernel, plan->system.kernel_modules);
	bool ok = true;
	for (size_t i = 0; config.text && i < plan->mounts.n; i++)
		ok &= check_mount(diag, plan, &config, &plan->mounts.v[i].stage1);
	return ok;
}
