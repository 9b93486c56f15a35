/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "compiler/checks.h"
#include "compiler/shape.h"

void check_store_dir(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (!is_plain_path(vm->store_dir) || strpbrk(vm->store_dir, ":, "))
		wrong(checker, vm_where(vm, &vm->store_dir), "bad-path", "storeDir: \"%.80s\" is no absolute path of a directory, such as /nix/store",
		      vm->store_dir);
}

void check_store_disk(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	int64_t block = vm->store_disk.block_size;
	bool linked = strcmp(vm->store_disk.engine, "linked") == 0;
	if (sound(checker, &vm->store_disk.block_size) && (block & (block - 1)))
		wrong(checker, vm_where(vm, &vm->store_disk.block_size), "bad-store-disk", "storeDisk.blockSize: %lld is no power of two", (long long)block);
	if (sound(checker, &vm->store_disk.engine) && linked && strcmp(vm->store_disk.compression, "zstd") != 0)
		wrong(checker, vm_where(vm, &vm->store_disk.compression), "bad-store-disk",
		      "storeDisk.compression: the linked engine compresses with zstd; for %s set storeDisk.engine: mksquashfs",
		      vm->store_disk.compression);
	if (strcmp(vm->store_disk.type, "erofs") == 0)
		wrong(checker, vm_where(vm, vm_where(vm, &vm->store_disk.type) ? &vm->store_disk.type : &vm->store_disk_type), "not-implemented",
		      "storeDisk.type: erofs is not implemented yet; squashfs is");
}

/* The guest's init is in the store: it must come from somewhere. */
void check_store(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (!sound(checker, &vm->store_on_disk, &vm->shares.v) || vm->store_on_disk)
		return;
	for (size_t i = 0; i < vm->shares.n; i++)
		if (!sound(checker, &vm->shares.v[i].source) || strcmp(vm->shares.v[i].source, vm->store_dir) == 0)
			return;
	wrong(checker, vm_where(vm, &vm->store_on_disk), "bad-store-disk", "storeOnDisk: false needs a share whose source is %s", vm->store_dir);
}
