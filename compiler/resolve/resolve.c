/* SPDX-License-Identifier: MIT */
#include "compiler/resolve/resolve.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/interface/positions.h"
#include "base/file.h"
#include "base/shape.h"
#include "compiler/resolve/rootfs.h"
#include "imaging/initrd/inspect.h"
#include "imaging/kernel/parameters.h"

enum { SMALL_FILE_BYTES = 1 << 20, PROGRAM_BYTES = 16 << 20 };

struct resolver {
	struct arena *arena;
	struct diag *diag;
	const struct vm *vm;
	struct system *system;
	struct json_object *bootspec; /* org.nixos.bootspec.v1, or NULL */
	bool etc_overlay;             /* the bootspec names an overlay for /etc */
	/* whether `system` has a toplevel; without one, only files that options name are known */
	bool rooted;
};

static const char *in_toplevel(struct resolver *resolver, const char *name)
{
	return path_join(resolver->arena, resolver->system->toplevel, name);
}

/* The target of a symbolic link in the toplevel; other paths are returned unchanged. */
static const char *follow_link(struct resolver *resolver, const char *path)
{
	const char *real = path_real(resolver->arena, path);
	return real ? real : path;
}

/* The target of a symbolic link, as the link contains it; NULL: `path` is not a link. */
static const char *link_target(struct arena *arena, const char *path)
{
	char target[PATH_MAX];
	const ssize_t length = readlink(path, target, sizeof target);
	return length > 0 ? arena_strndup(arena, target, (size_t)length) : NULL;
}

static bool missing_toplevel(struct resolver *resolver, bool in_store)
{
	const struct vm *vm = resolver->vm;
	const char *path = simple_path(resolver->arena, vm->toplevel), *why,
		   *target = link_target(resolver->arena, path);
	struct stat st;
	/* A relative path is relative to the current directory. */
	const char *dot = path[0] == '/' || path[0] == '.' ? "" : "./";
	if (strstr(path, "...") || strstr(path, "\u2026"))
		why = arena_printf(resolver->arena,
			"%s is a placeholder; put the path of a system there, such as ./system, "
			"which nix-build -o system makes",
			path);
	else if (stat(path, &st) != 0 && errno == ELOOP)
		why = arena_printf(
			resolver->arena, "%s%s is a link that leads back to itself", dot, path);
	else if (target)
		why = arena_printf(resolver->arena,
			"%s%s is a link to %s, which does not exist; build the system again", dot,
			path, target);
	else if (in_store)
		why = arena_printf(resolver->arena, "%s: no such store path; %s", path,
			strstr(path, "-nixos-system-")
				? "build the system first, with nix build "
				  "CONFIGURATION.config.system.build.toplevel"
				: "build it first");
	else if (path[0] == '/')
		why = arena_printf(resolver->arena, "%s: no such file or directory", path);
	else
		why = arena_printf(resolver->arena, "there is no %s%s; nix-build -o %s makes it",
			dot, path, path);
	return diag_error(resolver->diag, STATUS_INPUT, vm_where(vm, &vm->toplevel),
		"missing-toplevel", "toplevel: %s", why);
}

static bool resolve_toplevel(struct resolver *resolver)
{
	const struct vm *vm = resolver->vm;
	const struct pos *where = vm_where(vm, &vm->toplevel);
	const size_t length = strlen(vm->store_dir);
	const bool in_store =
		strncmp(vm->toplevel, vm->store_dir, length) == 0 && vm->toplevel[length] == '/';
	if (!path_real(resolver->arena, vm->toplevel))
		return missing_toplevel(resolver, in_store);
	if (!in_store)
		return diag_error(resolver->diag, STATUS_INPUT, where, "not-in-store",
			"toplevel: %s is not in the store directory %s%s", vm->toplevel,
			vm->store_dir,
			path_is_directory(vm->toplevel)
				? "; a directory with a system that Nix did not build goes into "
				  "rootfs"
				: "");
	if (!path_is_directory(vm->toplevel))
		return diag_error(resolver->diag, STATUS_INPUT, where, "missing-toplevel",
			"toplevel: %s: not a directory", vm->toplevel);
	resolver->system->toplevel = vm->toplevel;
	resolver->system->init = in_toplevel(resolver, "init");
	resolver->system->nixos = path_exists(in_toplevel(resolver, "nixos-version"));
	if (!path_exists(resolver->system->init))
		return diag_error(resolver->diag, STATUS_INPUT, where, "missing-init",
			"toplevel: %s has no init", vm->toplevel);
	return true;
}

/* ---- bootspec (https://github.com/NixOS/rfcs/blob/master/rfcs/0125-bootspec.md) ---- */

static bool load_bootspec(struct resolver *resolver)
{
	struct bytes text;
	const bool has_toplevel = resolver->rooted && !resolver->vm->rootfs;
	const char *path = has_toplevel ? in_toplevel(resolver, "boot.json") : NULL;
	if (!path || !path_exists(path))
		return true;
	if (!file_read(resolver->arena, resolver->diag, path, SMALL_FILE_BYTES, &text))
		return false;
	struct json_object *document = json_tokener_parse(text.p), *spec = NULL, *init = NULL;
	if (document && json_object_object_get_ex(document, "org.nixos.bootspec.v1", &spec))
		resolver->bootspec = json_object_get(spec);
	else
		diag_warning(resolver->diag, NULL, "bootspec",
			"%s is ignored: it has no org.nixos.bootspec.v1", path);
	resolver->etc_overlay = document &&
		json_object_object_get_ex(document, "org.nixos.nixos-init.v1", &init) &&
		json_object_object_get_ex(init, "etc_metadata_image", NULL);
	json_object_put(document);
	return true;
}

static const char *bootspec_text(struct resolver *resolver, const char *key)
{
	struct json_object *value = NULL;
	if (!resolver->bootspec || !json_object_object_get_ex(resolver->bootspec, key, &value) ||
		!json_object_is_type(value, json_type_string))
		return NULL;
	return arena_strdup(resolver->arena, json_object_get_string(value));
}

/* A file of the toplevel, otherwise the path in the bootspec; NULL if both lack it. */
static const char *derived_path(
	struct resolver *resolver, const char *name, const char *bootspec_key)
{
	if (!resolver->rooted)
		return NULL;
	const char *path = in_toplevel(resolver, name);
	if (path_exists(path))
		return follow_link(resolver, path);
	return bootspec_key ? bootspec_text(resolver, bootspec_key) : NULL;
}

/* ---- activation ---- */

/*
 * With boot.initrd.systemd.enable the toplevel's init is a copy of systemd's program, and its
 * second stage is prepare-root (nixos/modules/system/activation/top-level.nix of nixpkgs). With
 * system.nixos-init.enable programs of its initrd replace prepare-root.
 */
static bool is_systemd(struct resolver *resolver, const char *init)
{
	struct bytes first, second;
	struct stat one, other;
	const char *systemd = in_toplevel(resolver, "systemd/lib/systemd/systemd");
	if (stat(init, &one) != 0 || stat(systemd, &other) != 0 || one.st_size != other.st_size)
		return false;
	if (one.st_dev == other.st_dev && one.st_ino == other.st_ino)
		return true;
	return file_read(resolver->arena, resolver->diag, init, PROGRAM_BYTES, &first) &&
		file_read(resolver->arena, resolver->diag, systemd, PROGRAM_BYTES, &second) &&
		first.n == second.n && memcmp(first.p, second.p, first.n) == 0;
}

/* The script that switches to this system in a running one mounts the overlay, too. */
static bool has_etc_overlay(struct resolver *resolver)
{
	struct bytes text;
	const char *activate = in_toplevel(resolver, "activate");
	if (resolver->etc_overlay || path_exists(in_toplevel(resolver, "etc-metadata-image")))
		return true;
	return path_is_regular_file(activate) &&
		file_read(resolver->arena, resolver->diag, activate, SMALL_FILE_BYTES, &text) &&
		strstr(text.p, "-etc-metadata");
}

static bool refuse_activation(struct resolver *resolver, const char *option, const char *does)
{
	const struct vm *vm = resolver->vm;
	return diag_error(resolver->diag, STATUS_INPUT, vm_where(vm, &vm->toplevel),
		"unsupported-activation",
		"toplevel: %s has %s: its own initrd %s, which mvmbuild's stage 1 does not; set "
		"initrd: guest, or disable that option",
		vm->toplevel, option, does);
}

/* How NixOS is activated in our stage 1. */
static bool resolve_activation(struct resolver *resolver)
{
	struct system *system = resolver->system;
	const char *program = in_toplevel(resolver, "prepare-root");
	if (!system->nixos || resolver->vm->initrd)
		return true;
	if (access(program, X_OK) == 0)
		system->prepare_root = program;
	else if (is_systemd(resolver, system->init))
		return refuse_activation(
			resolver, "system.nixos-init.enable", "activates the system");
	return !has_etc_overlay(resolver) ||
		refuse_activation(resolver, "system.etc.overlay.enable", "mounts /etc");
}

/* ---- kernel ---- */

/* If the directory is missing, its kernel is not reported as missing too. */
static const char *kernel_of_rootfs(struct resolver *resolver)
{
	return resolver->rooted ? rootfs_kernel(resolver->arena, resolver->diag, resolver->vm)
				: NULL;
}

static bool resolve_kernel(struct resolver *resolver)
{
	const struct vm *vm = resolver->vm;
	const struct pos *where = vm_where(vm, &vm->kernel);
	const char *path = vm->kernel ? vm->kernel
		: vm->rootfs          ? kernel_of_rootfs(resolver)
				      : derived_path(resolver, "kernel", "kernel");
	if (!path && (!resolver->rooted || vm->rootfs))
		return false;
	if (!path)
		return diag_error(resolver->diag, STATUS_INPUT, vm_where(vm, &vm->toplevel),
			"missing-kernel",
			"no kernel found: %s has none, and the description does not set \"kernel\"",
			vm->toplevel);
	return kernel_inspect(
		resolver->arena, resolver->diag, path, where, &resolver->system->kernel);
}

/* A machine's /lib/modules may belong to other kernels, so there the version must match. */
static bool has_modules(struct resolver *resolver, const char *directory)
{
	const char *version = resolver->system->kernel.version,
		   *modules = path_join(resolver->arena, directory, "lib/modules");
	if (strcmp(directory, "/") == 0)
		return version && path_is_directory(path_join(resolver->arena, modules, version));
	return path_is_directory(modules);
}

/*
 * The directory with the lib/modules of the package that a kernel file belongs to: PACKAGE/bzImage,
 * PACKAGE/boot/vmlinuz-*, or /boot/vmlinuz of a machine; or the directory lib/modules/VERSION, if
 * the kernel is in it. `make modules_install` of Linux writes modules.builtin.
 */
static const char *modules_beside(struct resolver *resolver, const char *kernel)
{
	const char *directory = path_parent(resolver->arena, kernel);
	if (path_exists(path_join(resolver->arena, directory, "modules.builtin")))
		return directory;
	for (int up = 0; up < 2; up++) {
		if (has_modules(resolver, directory))
			return directory;
		directory = path_parent(resolver->arena, directory);
	}
	return NULL;
}

/*
 * With a kernel from elsewhere, a root file system without its modules still boots, because stage 1
 * loads the modules for the VM's devices.
 */
static void warn_of_modules(struct resolver *resolver)
{
	const struct vm *vm = resolver->vm;
	const struct system *system = resolver->system;
	const struct pos *where = vm_where(vm, &vm->kernel);
	if (!system->kernel_modules ||
		rootfs_modules(resolver->arena, vm->rootfs, system->kernel.version))
		return;
	diag_warning(resolver->diag, where ? where : vm_where(vm, &vm->rootfs), "rootfs-modules",
		"rootfs: %s has no /lib/modules/%s, so the guest can load no further modules of "
		"its kernel; copy that directory into it",
		vm->rootfs, system->kernel.version ? system->kernel.version : "VERSION");
}

/* The modules of a toplevel belong to its own kernel. */
static const char *modules_found(struct resolver *resolver)
{
	const struct vm *vm = resolver->vm;
	const struct kernel *kernel = &resolver->system->kernel;
	const char *path = vm->rootfs ? rootfs_modules(resolver->arena, vm->rootfs, kernel->version)
				      : derived_path(resolver, "kernel-modules", NULL);
	const bool fits = path && (vm->rootfs || !vm->kernel);
	return fits ? path : modules_beside(resolver, kernel->path);
}

static bool resolve_modules(struct resolver *resolver)
{
	const struct vm *vm = resolver->vm;
	const char *path = vm->kernel_modules;
	if (path && !path_is_directory(path))
		return diag_error(resolver->diag, STATUS_INPUT, vm_where(vm, &vm->kernel_modules),
			"missing-modules", "kernelModules: %s: %s", path,
			path_exists(path) ? "not a directory" : "no such directory");
	if (!path && resolver->system->kernel.path && !vm_where(vm, &vm->kernel_modules))
		path = modules_found(resolver);
	resolver->system->kernel_modules = path;
	return true;
}

static bool resolve_initrd(struct resolver *resolver)
{
	const struct vm *vm = resolver->vm;
	const struct pos *where = vm_where(vm, &vm->initrd);
	if (!vm->initrd)
		return true;
	bool of_guest = strcmp(vm->initrd, "guest") == 0;
	const char *path = of_guest ? derived_path(resolver, "initrd", "initrd") : vm->initrd;
	if (!path && !resolver->rooted)
		return false;
	if (!path)
		return diag_error(resolver->diag, STATUS_INPUT, where, "missing-initrd",
			"initrd: %s has no initrd", vm->toplevel);
	if (access(path, R_OK) != 0)
		return diag_error(resolver->diag, STATUS_INPUT, where, "missing-initrd",
			"initrd: %s: %s", path, strerror(errno));
	struct stat st;
	if (stat(path, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_size == 0))
		return diag_error(resolver->diag, STATUS_INPUT, where, "missing-initrd",
			"initrd: %s is %s", path,
			S_ISREG(st.st_mode) ? "empty" : "not a regular file");
	const char *wrong = initrd_inspect(path);
	if (wrong)
		return diag_error(resolver->diag, STATUS_INPUT, where, "not-an-initrd",
			"initrd: cannot use %s: it is %s, not an initramfs (a cpio archive, which "
			"may be compressed)",
			path, wrong);
	resolver->system->initrd = path;
	return true;
}

/* ---- kernel parameters ---- */

static bool bootspec_parameters(struct resolver *resolver, struct strings *list)
{
	struct json_object *array = NULL;
	if (!resolver->bootspec ||
		!json_object_object_get_ex(resolver->bootspec, "kernelParams", &array) ||
		!json_object_is_type(array, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(array); i++)
		parameters_split_element(resolver->arena,
			json_object_get_string(json_object_array_get_idx(array, i)), list);
	return true;
}

/* The parameters of an element have its position. */
static void given_parameters(struct resolver *resolver, struct strings *list)
{
	const struct vm *vm = resolver->vm;
	for (size_t i = 0; i < vm->kernel_params.n; i++) {
		const char *given = vm->kernel_params.v[i];
		const struct pos *where = vm_where(vm, given);
		size_t first = list->n;
		parameters_split_element(resolver->arena, given, list);
		for (size_t k = first; where && k < list->n; k++)
			places_set(vm->places, list->v[k], where);
	}
}

static bool resolve_parameters(struct resolver *resolver)
{
	struct strings *list = &resolver->system->parameters;
	if (vm_where(resolver->vm, &resolver->vm->kernel_params)) {
		given_parameters(resolver, list);
		return true;
	}
	struct bytes text;
	if (resolver->vm->rootfs)
		return true;
	const char *path = in_toplevel(resolver, "kernel-params");
	if (bootspec_parameters(resolver, list) || !path_exists(path))
		return true;
	if (!file_read(resolver->arena, resolver->diag, path, SMALL_FILE_BYTES, &text))
		return false;
	parameters_split(resolver->arena, text.p, list);
	return true;
}

bool vm_resolve(struct arena *arena, struct diag *diag, const struct vm *vm, struct system *system)
{
	struct resolver resolver = {arena, diag, vm, system, NULL, false, false};
	*system = (struct system){0};
	if (vm_refused(vm, &vm->store_dir) || vm_refused(vm, &vm->rootfs))
		return false;
	resolver.rooted = vm->rootfs
		? rootfs_resolve(arena, diag, vm, system)
		: !vm_refused(vm, &vm->toplevel) && resolve_toplevel(&resolver);
	bool ok = resolver.rooted && load_bootspec(&resolver);
	ok = ok && (vm->rootfs || resolve_activation(&resolver));
	ok &= !vm_refused(vm, &vm->kernel) && resolve_kernel(&resolver);
	ok &= !vm_refused(vm, &vm->kernel_modules) && resolve_modules(&resolver);
	ok &= !vm_refused(vm, &vm->initrd) && resolve_initrd(&resolver);
	ok &= resolver.rooted && resolve_parameters(&resolver);
	if (ok && vm->rootfs) {
		rootfs_warn(diag, vm, &system->root);
		warn_of_modules(&resolver);
	}
	json_object_put(resolver.bootspec);
	return ok;
}
