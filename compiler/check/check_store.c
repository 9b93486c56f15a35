/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "compiler/check/check.h"
#include "compiler/storage/host_store.h"
#include "compiler/storage/store_formats.h"

/* The compressions that the engine creates this format with; empty: it does not create it. */
static struct strings compressions_of(const struct checker *checker, enum store_engine engine)
{
	const struct store_way *ways = store_formats[checker->vm->store_disk.type].ways;
	struct strings names = {0};
	for (size_t i = 0; i < STORE_WAYS; i++)
		for (size_t k = 0; ways[i].engine == engine && k < ways[i].n; k++)
			vec_push(
				checker->arena, &names, compression_names[ways[i].compressions[k]]);
	return names;
}

static const char *list(const struct checker *checker, struct strings names)
{
	const char *text = names.v[0];
	for (size_t i = 1; i < names.n; i++)
		text = arena_printf(checker->arena, "%s%s%s", text,
			i + 1 < names.n ? ", " : " and ", names.v[i]);
	return text;
}

/* Suggests another engine that supports the compression. */
static const char *hint(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	for (enum store_engine engine = 0; store_engine_names[engine]; engine++)
		if (store_way_find(vm->store_disk.type, engine, vm->store_disk.compression))
			return arena_printf(checker->arena, "; use storeDisk.engine: %s",
				store_engine_names[engine]);
	return "";
}

static void check_engine(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const char *type = store_type_names[vm->store_disk.type],
		   *engine = store_engine_names[vm->store_disk.engine],
		   *compression = compression_names[vm->store_disk.compression];
	const struct strings can = compressions_of(checker, vm->store_disk.engine);
	const struct store_way *way = store_way_find(
		vm->store_disk.type, vm->store_disk.engine, vm->store_disk.compression);
	if (!can.n)
		check_error(checker, vm_where(vm, &vm->store_disk.engine), "bad-store-disk",
			"storeDisk.engine: %s does not create %s", engine, type);
	else if (!way)
		check_error(checker, vm->store_disk.compression_where, "bad-store-disk",
			"storeDisk.compression: the engine \"%s\" creates %s with %s, not with "
			"%s%s",
			engine, type, list(checker, can), compression, hint(checker));
	else if (!vm->store_disk.verify && !way->can_trust)
		check_error(checker, vm_where(vm, &vm->store_disk.verify), "bad-store-disk",
			"storeDisk.verify: false requires storeDisk.type: erofs, compression: none "
			"and engine: linked; the other ways read all files anyway");
}

/* The root hash must be kept outside the disk, in a file that is created after it. */
static void check_verity(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const struct pos *where = vm_where(vm, &vm->store_disk.verity);
	if (!vm->store_on_disk) {
		check_error(checker, where, "bad-store-disk",
			"storeDisk.verity requires a store disk, but the store is a share, which "
			"the host can change at any time");
		return;
	}
	if (!vm->initrd)
		return;
	check_error(checker, where, "bad-store-disk",
		"storeDisk.verity requires mvmbuild's own initrd, which contains the root hash, "
		"but another one is given");
	diag_note(checker->diag, vm_where(vm, &vm->initrd), "bad-store-disk",
		"the initrd is given here");
}

/* The guest maps pages of the disk as they are (Documentation/filesystems/dax.rst). */
static void check_pmem(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const struct pos *where = vm_where(vm, &vm->store_disk.device);
	const struct store_way *way = store_way_find(
		vm->store_disk.type, vm->store_disk.engine, vm->store_disk.compression);
	if (!vm->store_on_disk)
		check_error(checker, where, "bad-store-disk",
			"storeDisk.device: pmem requires a store disk, but the store is a share");
	else if (way && !way->has_pages)
		check_error(checker, where, "bad-store-disk",
			"storeDisk.device: pmem requires files in whole pages: storeDisk.type: "
			"erofs, compression: none and engine: linked");
	else if (vm->store_disk.verity)
		check_error(checker, where, "bad-store-disk",
			"storeDisk.device: pmem does not work with verity, which verifies what is "
			"read, while the guest maps the pages of persistent memory");
}

static void check_direct(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const struct pos *where = vm_where(vm, &vm->store_disk.direct);
	if (!vm->store_on_disk)
		check_error(checker, where, "bad-store-disk",
			"storeDisk.direct requires a store disk, but the store is a share");
	else if (vm->store_disk.device == STORE_PMEM)
		check_error(checker, where, "bad-store-disk",
			"storeDisk.direct does not work with device: pmem, which shows the guest "
			"the pages in the host's page cache");
}

/* The host links the disk from the runner's list, by this program alone. */
static void check_link(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const struct pos *where = vm_where(vm, &vm->store_disk.link);
	if (!vm->store_on_disk)
		check_error(checker, where, "bad-store-disk",
			"storeDisk.link: host requires a store disk, but the store is a share");
	else if (vm->rootfs)
		check_error(checker, where, "bad-store-disk",
			"storeDisk.link: host links store paths, and a root file system is not in "
			"a store");
	else if (vm->store_disk.engine != ENGINE_LINKED)
		check_error(checker, where, "bad-store-disk",
			"storeDisk.link: host requires storeDisk.engine: linked");
	else if (vm->store_disk.verity)
		check_error(checker, where, "bad-store-disk",
			"storeDisk.link: host does not work with verity: the root hash is in the "
			"initrd, which is made before the disk");
	else if (vm->hypervisor && checker->guest.on_mac)
		check_error(checker, where, "bad-store-disk",
			"storeDisk.link: host requires a Linux host, which has the guest's store "
			"paths");
}

void check_store_disk(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	int64_t block = vm->store_disk.block_size;
	if (check_accepted(checker, &vm->store_disk.block_size) && (block & (block - 1)))
		check_error(checker, vm_where(vm, &vm->store_disk.block_size), "bad-store-disk",
			"storeDisk.blockSize: %lld is not a power of two", (long long)block);
	if (check_accepted(checker, &vm->store_disk.type, &vm->store_disk_type,
		    &vm->store_disk.engine, &vm->store_disk.compression, &vm->store_disk.verify))
		check_engine(checker);
	if (check_accepted(checker, &vm->store_disk.verity, &vm->store_on_disk, &vm->initrd) &&
		vm->store_disk.verity)
		check_verity(checker);
	if (check_accepted(checker, &vm->store_disk.device, &vm->store_on_disk,
		    &vm->store_disk.type, &vm->store_disk.engine, &vm->store_disk.compression) &&
		vm->store_disk.device == STORE_PMEM)
		check_pmem(checker);
	if (check_accepted(
		    checker, &vm->store_disk.direct, &vm->store_disk.device, &vm->store_on_disk) &&
		vm->store_disk.direct)
		check_direct(checker);
	if (check_accepted(checker, &vm->store_disk.link, &vm->store_on_disk, &vm->rootfs,
		    &vm->store_disk.engine, &vm->store_disk.verity) &&
		vm->store_disk.link == LINK_HOST)
		check_link(checker);
}

/* The guest's init is in the store, so the guest needs a store disk or a share of the store. */
void check_store(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (!check_accepted(checker, &vm->store_on_disk, &vm->shares.v) || vm->store_on_disk)
		return;
	for (size_t i = 0; i < vm->shares.n; i++)
		if (!check_accepted(checker, &vm->shares.v[i].source) ||
			share_is_store(vm, &vm->shares.v[i]))
			return;
	check_error(checker, vm_where(vm, &vm->store_on_disk), "bad-store-disk",
		"storeOnDisk: false requires a share whose source is %s", vm->store_dir);
}
