/* SPDX-License-Identifier: MIT */
#include "compiler/check/check.h"
#include "compiler/storage/file_systems.h"

/* Options that belong to a system in a Nix store. */
static void check_excluded(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const struct {
		const void *field;
		const char *name;
		bool used;
	} options[] = {
		{&vm->toplevel, "toplevel", vm->toplevel},
		{&vm->store_paths, "storePaths", vm->store_paths.n},
		{&vm->closure, "closure", vm->closure},
		{&vm->writable_store_overlay, "writableStoreOverlay", vm->writable_store_overlay},
		{&vm->nix_database, "nixDatabase", vm->nix_database != NIX_DATABASE_NONE},
		{&vm->system_symlink, "systemSymlink",
			vm_where(vm, &vm->system_symlink) && vm->system_symlink},
	};
	for (size_t i = 0; i < countof(options); i++)
		if (options[i].used && check_accepted(checker, options[i].field))
			check_error(checker, vm_where(vm, options[i].field), "bad-rootfs",
				"%s: cannot be combined with rootfs, which is a whole system "
				"without a Nix store",
				options[i].name);
	if (vm->initrd && check_accepted(checker, &vm->initrd))
		check_error(checker, vm_where(vm, &vm->initrd), "bad-rootfs",
			"initrd: cannot be combined with rootfs, whose overlay only mvmbuild's own "
			"initrd mounts");
}

static void check_disk(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (!vm->store_on_disk && check_accepted(checker, &vm->store_on_disk, &vm->shares.v))
		check_error(checker, vm_where(vm, &vm->store_on_disk), "bad-rootfs",
			"storeOnDisk: rootfs is packed into a disk; remove storeOnDisk: false and "
			"the share of %s",
			vm->store_dir);
	if (vm->store_disk.engine != ENGINE_LINKED &&
		check_accepted(checker, &vm->store_disk.engine))
		check_error(checker, vm_where(vm, &vm->store_disk.engine), "bad-rootfs",
			"storeDisk.engine: %s does not keep owners; rootfs requires the engine "
			"\"%s\"",
			store_engine_names[vm->store_disk.engine],
			store_engine_names[ENGINE_LINKED]);
}

/* The volume at / holds the upper layer of an overlay. */
static void check_root_volume(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const struct storage_place place = storage_find(vm, checker->storage, "/");
	if (place.share)
		check_error(checker, &place.share->where, "bad-rootfs",
			"shares: with rootfs, / is an overlay, whose changes a volume can keep, "
			"but not a share");
	if (!place.volume)
		return;
	const struct file_system *system = file_system_find(place.volume->fs_type);
	if (place.volume->read_only)
		check_error(checker, &place.volume->where, "bad-rootfs",
			"volumes: the volume at / keeps the changes to rootfs, so it cannot be "
			"read-only");
	else if (system && system->no_overlay)
		check_error(checker, &place.volume->where, "bad-rootfs",
			"volumes: the volume at / keeps the changes to rootfs, and %.40s cannot "
			"hold them; use ext4",
			place.volume->fs_type);
}

void check_rootfs(const struct checker *checker)
{
	if (!checker->vm->rootfs)
		return;
	check_excluded(checker);
	check_disk(checker);
	if (!vm_refused(checker->vm, NULL)) /* it depends on all mounts */
		check_root_volume(checker);
}
