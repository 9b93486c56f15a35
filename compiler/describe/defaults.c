/* SPDX-License-Identifier: MIT */
#include "compiler/describe/defaults.h"

#include <openssl/sha.h>
#include <string.h>

#include "backends/interface/backend.h"
#include "backends/interface/parts.h"
#include "backends/interface/positions.h"
#include "base/file.h"
#include "compiler/describe/store_flags.h"
#include "compiler/storage/derive.h"
#include "compiler/storage/host_store.h"
#include "compiler/storage/store_formats.h"

/* Returns the SHA-256 hash of a text in hex digits. */
static const char *digest_hex(struct arena *arena, const char *text)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)text, strlen(text), digest);
	return arena_hex(arena, digest, sizeof digest);
}

/* Derives the same id as microvm.nix, so that a VM keeps its identity when it moves to mvmbuild. */
static const char *derived_machine_id(struct arena *arena, const char *host_name)
{
	const char *hex = digest_hex(arena, arena_printf(arena, "microvm.nix:%s", host_name));
	return arena_printf(
		arena, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* Derives a locally administered address (0x02) that is stable for a name. */
static const char *derived_mac(struct arena *arena, const char *host_name, const char *id)
{
	const char *hex = digest_hex(arena, arena_printf(arena, "%s/%s", host_name, id));
	return arena_printf(
		arena, "02:%.2s:%.2s:%.2s:%.2s:%.2s", hex, hex + 2, hex + 4, hex + 6, hex + 8);
}

/* Whether the description lacks a string. A written `null` counts as given and means none. */
static bool left_open(const struct vm *vm, const char *const *field)
{
	return !*field && !vm_where(vm, field);
}

/* A description that was exported from microvm.nix contains its default, which nobody chose. */
static void fill_machine_id(struct arena *arena, struct vm *vm)
{
	const char *derived = derived_machine_id(arena, vm->host_name);
	if (left_open(vm, &vm->machine_id))
		vm->machine_id = derived;
	if (vm->machine_id && strcmp(vm->machine_id, derived) == 0)
		places_forget(vm->places, &vm->machine_id);
}

/* Fills what is derived from the name; a vm without a name is only checked. */
static void fill_from_name(struct arena *arena, struct vm *vm)
{
	if (left_open(vm, &vm->socket))
		vm->socket = arena_printf(arena, "%s.sock", vm->host_name);
	fill_machine_id(arena, vm);
	for (size_t i = 0; i < vm->interfaces.n; i++)
		if (!vm->interfaces.v[i].mac && vm->interfaces.v[i].id)
			vm->interfaces.v[i].mac =
				derived_mac(arena, vm->host_name, vm->interfaces.v[i].id);
}

static void fill_store_disk(struct vm *vm)
{
	if (vm->store_disk_type != STORE_TYPE_OPEN && !vm_where(vm, &vm->store_disk.type))
		vm->store_disk.type = vm->store_disk_type;
	const struct store_format *format = &store_formats[vm->store_disk.type];
	if (!vm_where(vm, &vm->store_disk.block_size))
		vm->store_disk.block_size = format->block_size;
	vm->store_disk.tail_packing = true;
	vm->store_disk.compression_where = vm_where(vm, &vm->store_disk.compression);
	if (vm->store_disk.compression == COMPRESSION_OPEN)
		vm->store_disk.compression = format->compression;
}

static void fill(struct arena *arena, struct vm *vm)
{
	host_store_protect(arena, vm);
	if (vm->host_name)
		fill_from_name(arena, vm);
	if (!vm_where(vm, &vm->hotplugged_mem_mib))
		vm->hotplugged_mem_mib = vm->hotplug_mem_mib;
	if (!vm_where(vm, &vm->store_on_disk))
		vm->store_on_disk = vm->rootfs || !host_store_share(vm);
	if (!vm_where(vm, &vm->system_symlink))
		vm->system_symlink = !vm->store_on_disk && !vm->rootfs;
	if (!vm_where(vm, &vm->vsock.notify))
		vm->vsock.notify = vm->hypervisor->notifies;
	fill_store_disk(vm);
	if (vm->nix_database == NIX_DATABASE_OPEN)
		vm->nix_database = vm->register_closure && !vm->initrd && !vm->rootfs
			? NIX_DATABASE_PREBUILT
			: NIX_DATABASE_NONE;
	if (!vm->graphics.socket)
		vm->graphics.socket = arena_printf(arena, "%s-gpu.sock", vm->host_name);
	for (size_t i = 0; i < vm->shares.n; i++) {
		struct share *share = &vm->shares.v[i];
		if (!share->socket && !vm_where(vm, &share->socket) && share_has_daemon(share))
			share->socket = share_default_socket(arena, vm, share);
	}
}

/* ---- paths ---- */

/* Resolves a relative path against the directory of the file that contains it. */
static const char *absolute(
	struct arena *arena, struct vm *vm, const char *path, const struct pos *where)
{
	if (!path)
		return NULL;
	if (path[0] != '/' && where && strchr(where->file, '/'))
		path = path_join(arena, path_parent(arena, where->file), path);
	vec_push(arena, &vm->named_paths, path);
	if (path[0] == '/')
		return path;
	const char *real = path_real(arena, path);
	return real ? real : path;
}

/* Replaces a path outside the store that leads into it (./result) by the store path. */
static const char *into_store(struct arena *arena, const struct vm *vm, const char *path)
{
	size_t length = strlen(vm->store_dir);
	if (!path || (strncmp(path, vm->store_dir, length) == 0 && path[length] == '/'))
		return path;
	const char *real = path_real(arena, path);
	return real && strncmp(real, vm->store_dir, length) == 0 && real[length] == '/' ? real
											: path;
}

static void make_absolute(struct arena *arena, struct vm *vm, const char **field)
{
	*field = absolute(arena, vm, *field, vm_where(vm, field));
}

/* Positions belong to the strings of a list: a replaced string passes its position on. */
static void make_store_paths(struct arena *arena, struct vm *vm)
{
	for (size_t i = 0; i < vm->store_paths.n; i++) {
		const char *given = vm->store_paths.v[i];
		const struct pos *where = vm_where(vm, given);
		const char *path = into_store(arena, vm, absolute(arena, vm, given, where));
		if (where && path != given)
			places_set(vm->places, path, where);
		vm->store_paths.v[i] = path;
	}
}

static void make_paths(struct arena *arena, struct vm *vm)
{
	make_absolute(arena, vm, &vm->closure);
	make_store_paths(arena, vm);
	make_absolute(arena, vm, &vm->toplevel);
	vm->toplevel = into_store(arena, vm, vm->toplevel);
	make_absolute(arena, vm, &vm->rootfs);
	const char *rootfs = vm->rootfs ? path_real(arena, vm->rootfs) : NULL;
	vm->rootfs = rootfs ? rootfs : vm->rootfs;
	make_absolute(arena, vm, &vm->kernel);
	make_absolute(arena, vm, &vm->kernel_modules);
	if (vm->initrd && strcmp(vm->initrd, "guest") != 0)
		make_absolute(arena, vm, &vm->initrd);
}

void vm_complete(struct arena *arena, struct diag *diag, struct vm *vm)
{
	fill(arena, vm);
	store_flags_apply(arena, diag, vm);
	make_paths(arena, vm);
}
