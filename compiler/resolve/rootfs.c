/* SPDX-License-Identifier: MIT */
#include "compiler/resolve/rootfs.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "imaging/kernel/parameters.h"

enum { LINKS_MOST = 40 /* as the kernel's MAXSYMLINKS */ };

/* The usual places of a guest's init. The kernel parameter init= names any other. */
static const char *const inits[] = {"/sbin/init", "/init"};

/* ---- paths inside the root file system ---- */

/*
 * Returns where the guest's `path` is on this machine: symbolic links are followed as in the guest,
 * whose root is `root`. NULL if it does not exist.
 */
static const char *path_inside(struct arena *arena, const char *root, const char *path)
{
	const char *done = "";
	unsigned links = 0;
	while (*(path += strspn(path, "/"))) {
		const size_t length = strcspn(path, "/");
		const char *name = arena_strndup(arena, path, length);
		path += length;
		if (strcmp(name, "..") == 0) {
			const char *slash = strrchr(done, '/');
			done = slash ? arena_strndup(arena, done, (size_t)(slash - done)) : done;
			continue;
		}
		char target[4096];
		const char *next = arena_printf(arena, "%s/%s", done, name);
		const ssize_t n = readlink(
			arena_printf(arena, "%s%s", root, next), target, sizeof target - 1);
		if (n > 0 && ++links > LINKS_MOST)
			return NULL;
		if (n <= 0) {
			done = next;
			continue;
		}
		target[n] = '\0';
		done = *target == '/' ? "" : done;
		path = arena_printf(arena, "%s/%s", target, path);
	}
	const char *real = arena_printf(arena, "%s%s", root, done);
	return path_exists(real) ? real : NULL;
}

/* ---- init ---- */

static const char *init_parameter(struct arena *arena, const struct vm *vm)
{
	const char *init = NULL;
	for (size_t i = 0; i < vm->kernel_params.n; i++) {
		const char *value = parameter_value(arena, vm->kernel_params.v[i], "init");
		init = value ? value : init;
	}
	return init;
}

static bool find_init(
	struct arena *arena, struct diag *diag, const struct vm *vm, struct system *system)
{
	const char *named = init_parameter(arena, vm);
	system->init = named;
	for (size_t i = 0; !system->init && i < countof(inits); i++)
		if (path_inside(arena, vm->rootfs, inits[i]))
			system->init = inits[i];
	if (!system->init)
		return diag_error(diag, STATUS_INPUT, vm_where(vm, &vm->rootfs), "missing-init",
			"rootfs: %s has neither /sbin/init nor /init; install an init in it "
			"(Debian: systemd-sysv), or name a program with kernelParams: "
			"[init=/path]",
			vm->rootfs);
	return !named || path_inside(arena, vm->rootfs, named) ||
		diag_error(diag, STATUS_INPUT, vm_where(vm, &vm->kernel_params), "missing-init",
			"kernelParams: %s has no %s, which init= names", vm->rootfs, named);
}

void rootfs_warn(struct diag *diag, const struct vm *vm, const struct root_owner *root)
{
	const struct pos *where = vm_where(vm, &vm->rootfs);
	if (root->uid != 0)
		diag_warning(diag, where, "rootfs-owner",
			"rootfs: %s belongs to user %u, not to root, and so it will in the guest; "
			"unpack or make it as root",
			vm->rootfs, root->uid);
	if ((root->mode & 0005) != 0005)
		diag_warning(diag, where, "rootfs-owner",
			"rootfs: %s has mode %04o, so only its owner could reach any file in the "
			"guest; use chmod 755",
			vm->rootfs, root->mode);
}

bool rootfs_resolve(
	struct arena *arena, struct diag *diag, const struct vm *vm, struct system *system)
{
	struct stat st;
	const struct pos *where = vm_where(vm, &vm->rootfs);
	if (stat(vm->rootfs, &st) != 0)
		return diag_error(diag, STATUS_INPUT, where, "missing-rootfs", "rootfs: %s: %s",
			vm->rootfs, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return diag_error(diag, STATUS_INPUT, where, "missing-rootfs",
			"rootfs: %s is not a directory; unpack an archive or an image first",
			vm->rootfs);
	system->rootfs = vm->rootfs;
	system->root = (struct root_owner){st.st_mode & 07777, st.st_uid, st.st_gid};
	return find_init(arena, diag, vm, system);
}

/* ---- kernel ---- */

/* Adds DIRECTORY/ENTRY/name, or DIRECTORY/ENTRY if `name` is NULL and ENTRY starts with `start`. */
static void list_kernels(struct arena *arena, const char *directory, const char *start,
	const char *name, struct strings *kernels)
{
	DIR *stream = directory ? opendir(directory) : NULL;
	for (const struct dirent *entry; stream && (entry = directory_next(stream, directory));) {
		const char *path = path_join(arena, directory, entry->d_name);
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, start, strlen(start)) != 0)
			continue;
		/* Fedora's rescue kernel is a copy of another one. */
		if (strstr(entry->d_name, "-rescue-"))
			continue;
		path = name ? path_join(arena, path, name) : path;
		if (path_exists(path))
			vec_push(arena, kernels, path);
	}
	if (stream)
		closedir(stream);
}

const char *rootfs_kernel(struct arena *arena, struct diag *diag, const struct vm *vm)
{
	struct strings kernels = {0};
	list_kernels(arena, path_inside(arena, vm->rootfs, "/boot"), "vmlinuz-", NULL, &kernels);
	if (kernels.n == 0)
		list_kernels(arena, path_inside(arena, vm->rootfs, "/lib/modules"), "", "vmlinuz",
			&kernels);
	if (kernels.n == 1)
		return kernels.v[0];
	if (kernels.n == 0) {
		diag_error(diag, STATUS_INPUT, vm_where(vm, &vm->rootfs), "missing-kernel",
			"no kernel found: %s has neither /boot/vmlinuz-* nor "
			"/lib/modules/*/vmlinuz, and the description does not set \"kernel\"; "
			"install one in it (Debian: linux-image-amd64), or set \"kernel\"",
			vm->rootfs);
		return NULL;
	}
	qsort(kernels.v, kernels.n, sizeof *kernels.v, strings_compare);
	diag_error(diag, STATUS_INPUT, vm_where(vm, &vm->rootfs), "several-kernels",
		"rootfs: %s has %zu kernels; set \"kernel\" to one of them", vm->rootfs, kernels.n);
	for (size_t i = 0; i < kernels.n; i++)
		diag_note(diag, NULL, "several-kernels", "kernel: %s", kernels.v[i]);
	return NULL;
}

const char *rootfs_modules(struct arena *arena, const char *rootfs, const char *version)
{
	const char *modules = path_inside(arena, rootfs, "/lib/modules");
	return modules && version && path_is_directory(path_join(arena, modules, version)) ? modules
											   : NULL;
}
