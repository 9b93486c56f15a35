/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/shape.h"
#include "compiler/check/checks.h"
#include "compiler/storage/host_store.h"

void check_store_dir(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (!is_plain_path(vm->store_dir) || strpbrk(vm->store_dir, ":, "))
		wrong(checker, vm_where(vm, &vm->store_dir), "bad-path",
			"storeDir: \"%.80s\" is not an absolute path such as /nix/store, without "
			"':', ',' and spaces",
			vm->store_dir);
}

/* The compressors that each engine supports. */
static const struct {
	const char *type, *engine;
	const char *compressions[8];
} engines[] = {
	{"squashfs", "linked", {"zstd"}},
	{"squashfs", "mksquashfs", {"gzip", "lz4", "lzo", "xz", "zstd", "none"}},
	{"erofs", "linked", {"lz4", "lz4hc", "deflate", "lzma", "zstd", "none"}},
	{"erofs", "mkfs.erofs", {"lz4", "lz4hc", "deflate", "lzma", "zstd", "none"}},
};

static bool has_compression(const char *const compressions[8], const char *name)
{
	size_t i = 0;
	while (compressions[i] && strcmp(compressions[i], name) != 0)
		i++;
	return compressions[i];
}

static const char *list(const struct checker *checker, const char *const compressions[8])
{
	const char *text = compressions[0];
	for (size_t i = 1; compressions[i]; i++)
		text = arena_printf(checker->arena, "%s%s%s", text,
			compressions[i + 1] ? ", " : " and ", compressions[i]);
	return text;
}

/* Suggests another engine that supports the compression. */
static const char *hint(const struct checker *checker, size_t engine)
{
	for (size_t i = 0; i < countof(engines); i++)
		if (i != engine && strcmp(engines[i].type, engines[engine].type) == 0 &&
			has_compression(
				engines[i].compressions, checker->vm->store_disk.compression))
			return arena_printf(
				checker->arena, "; use storeDisk.engine: %s", engines[i].engine);
	return "";
}

static void check_engine(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const char *type = vm->store_disk.type, *engine = vm->store_disk.engine;
	size_t i = 0;
	while (i < countof(engines) &&
		(strcmp(engines[i].type, type) != 0 || strcmp(engines[i].engine, engine) != 0))
		i++;
	if (i == countof(engines))
		wrong(checker, vm_where(vm, &vm->store_disk.engine), "bad-store-disk",
			"storeDisk.engine: %s does not create %s", engine, type);
	else if (!has_compression(engines[i].compressions, vm->store_disk.compression))
		wrong(checker, vm->store_disk.compression_where, "bad-store-disk",
			"storeDisk.compression: the engine \"%s\" creates %s with %s, not with "
			"%s%s",
			engine, type, list(checker, engines[i].compressions),
			vm->store_disk.compression, hint(checker, i));
}

/* The root hash must be kept outside the disk, in a file that is created after it. */
static void check_verity(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const struct pos *where = vm_where(vm, &vm->store_disk.verity);
	if (!vm->store_on_disk) {
		wrong(checker, where, "bad-store-disk",
			"storeDisk.verity requires a store disk, but the store is a share, which "
			"the host can change at any time");
		return;
	}
	if (!vm->initrd)
		return;
	wrong(checker, where, "bad-store-disk",
		"storeDisk.verity requires mvmbuild's own initrd, which contains the root hash, "
		"but another one is given");
	diag_note(checker->diag, vm_where(vm, &vm->initrd), "bad-store-disk",
		"the initrd is given here");
}

void check_store_disk(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	int64_t block = vm->store_disk.block_size;
	if (sound(checker, &vm->store_disk.block_size) && (block & (block - 1)))
		wrong(checker, vm_where(vm, &vm->store_disk.block_size), "bad-store-disk",
			"storeDisk.blockSize: %lld is not a power of two", (long long)block);
	if (sound(checker, &vm->store_disk.type, &vm->store_disk_type, &vm->store_disk.engine,
		    &vm->store_disk.compression))
		check_engine(checker);
	if (sound(checker, &vm->store_disk.verity, &vm->store_on_disk, &vm->initrd) &&
		vm->store_disk.verity)
		check_verity(checker);
}

/* The guest's init is in the store, so the guest needs a store disk or a share of the store. */
void check_store(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (!sound(checker, &vm->store_on_disk, &vm->shares.v) || vm->store_on_disk)
		return;
	for (size_t i = 0; i < vm->shares.n; i++)
		if (!sound(checker, &vm->shares.v[i].source) ||
			share_is_store(vm, &vm->shares.v[i]))
			return;
	wrong(checker, vm_where(vm, &vm->store_on_disk), "bad-store-disk",
		"storeOnDisk: false requires a share whose source is %s", vm->store_dir);
}
