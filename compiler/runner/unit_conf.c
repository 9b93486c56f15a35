/* SPDX-License-Identifier: MIT */
#include "compiler/runner/unit_conf.h"

#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "compiler/storage/storage.h"

struct conf {
	struct arena *arena;
	const struct plan *plan;
	struct buf text;
};

/* ---- places ---- */

/* Writes a path as one word that systemd takes literally (systemd.syntax(7), systemd.unit(5)). */
static void put_path(struct conf *conf, const char *path)
{
	for (; *path; path++) {
		if (strchr("\"\\%", *path))
			buf_printf(&conf->text, "%s", *path == '%' ? "%" : "\\");
		buf_printf(&conf->text, "%c", *path);
	}
}

static bool is_below(const char *path, const char *directory)
{
	const size_t length = strlen(directory);
	return strncmp(path, directory, length) == 0 &&
		(path[length] == '/' || path[length] == '\0');
}

/* The unit lets every VM read these directories. */
static bool is_readable(const char *path)
{
	static const char *const shown[] = {
		"/usr", "/bin", "/lib", "/nix/store", "/proc", "/sys", "/run/current-system"};
	for (size_t i = 0; i < countof(shown); i++)
		if (is_below(path, shown[i]))
			return true;
	return false;
}

/*
 * A relative path is in the state directory. A place that does not exist is ignored: microvm-run
 * reports it.
 */
static void show(struct conf *conf, const char *path, bool writable)
{
	if (!path || *path != '/' || (!writable && is_readable(path)))
		return;
	buf_printf(&conf->text, "%s=\"-", writable ? "BindPaths" : "BindReadOnlyPaths");
	put_path(conf, path);
	buf_puts(&conf->text, "\"\n");
}

/* The parent "/" would show all of the host. */
static void show_parent(struct conf *conf, const char *path, bool writable)
{
	const char *parent = path ? path_parent(conf->arena, path) : NULL;
	show(conf, parent && strcmp(parent, "/") == 0 ? path : parent, writable);
}

static void allow_device(struct conf *conf, const char *device)
{
	buf_puts(&conf->text, "DeviceAllow=\"");
	put_path(conf, device);
	buf_puts(&conf->text, "\" rw\n");
}

/* ---- what the VM uses ---- */

static void show_volume(struct conf *conf, const struct volume *volume)
{
	/* A start creates and enlarges the image, with a file beside it. */
	if (volume->auto_create)
		show_parent(conf, volume->image, true);
	else
		show(conf, volume->image, !volume->read_only);
	if (is_below(volume->image, "/dev"))
		allow_device(conf, volume->image);
}

static void show_shares(struct conf *conf)
{
	const struct guest *guest = &conf->plan->guest;
	for (size_t i = 0; i < guest->nshares; i++) {
		const struct share *share = guest->shares[i];
		if (share->proto == SHARE_VIRTIOFS)
			show_parent(conf, share->socket, true);
		else /* the hypervisor itself serves it */
			show(conf, share->source, !share->read_only);
	}
}

static void show_files(struct conf *conf)
{
	const struct plan *plan = conf->plan;
	for (size_t i = 0; i < plan->lowered.directories.n; i++)
		show(conf, plan->lowered.directories.v[i], false);
	const struct file_ref *const files[] = {&plan->guest.kernel, &plan->guest.initrd};
	for (size_t i = 0; i < countof(files); i++)
		if (!files[i]->in_runner)
			show(conf, files[i]->path, false);
	for (size_t i = 0; i < plan->vm->credential_files.n; i++)
		show(conf, plan->vm->credential_files.v[i].value, false);
}

/* Shows the package of a program: /opt/qemu for /opt/qemu/bin/qemu-system-x86_64. */
static void show_package(struct conf *conf, const struct command *command)
{
	const struct pieces *program =
		command->arguments.n ? &command->arguments.v[0].pieces : NULL;
	const char *path = program && program->n ? program->v[0].text : NULL;
	if (path && *path == '/')
		show_parent(conf, path_parent(conf->arena, path), false);
}

static void show_programs(struct conf *conf)
{
	const struct vm *vm = conf->plan->vm;
	show_package(conf, &conf->plan->lowered.command);
	show_package(conf, &conf->plan->lowered.companion.command);
	show_parent(conf, arena_strndup(conf->arena, vm->host_shell, strcspn(vm->host_shell, " ")),
		false);
	for (size_t i = 0; i < vm->host_path.n; i++)
		show(conf, vm->host_path.v[i], false);
	show(conf, vm->store_dir, false);
}

static void show_sockets(struct conf *conf)
{
	const struct lowered *lowered = &conf->plan->lowered;
	for (size_t i = 0; i < lowered->sockets.n; i++)
		if (lowered->sockets.v[i][0] == '/')
			show_parent(conf, lowered->sockets.v[i], true);
}

static bool has_device(const struct vm *vm, enum device_bus bus)
{
	for (size_t i = 0; i < vm->devices.n; i++)
		if (vm->devices.v[i].bus == bus)
			return true;
	return false;
}

static bool has_macvtap(const struct vm *vm)
{
	for (size_t i = 0; i < vm->interfaces.n; i++)
		if (vm->interfaces.v[i].type == INTERFACE_MACVTAP)
			return true;
	return false;
}

/* Groups of devices have names in /proc/devices. */
static void show_devices(struct conf *conf)
{
	const struct vm *vm = conf->plan->vm;
	if (has_device(vm, BUS_PCI))
		buf_puts(&conf->text,
			"BindPaths=-/dev/vfio\n"
			"DeviceAllow=char-vfio rw\n"
			"DeviceAllow=/dev/vfio/vfio rw\n");
	if (has_device(vm, BUS_USB))
		buf_puts(&conf->text,
			"BindPaths=-/dev/bus/usb\n"
			"DeviceAllow=char-usb_device rw\n");
	if (has_macvtap(vm))
		/* Only the interface's number names its device. Other devices stay forbidden. */
		buf_puts(&conf->text,
			"PrivateDevices=no\n"
			"BindPaths=/dev\n"
			"DevicePolicy=closed\n"
			"DeviceAllow=char-macvtap rw\n");
	if (vm->hugepage_mem)
		show(conf, conf->plan->backend->hugetlbfs, true);
}

static void show_named(struct conf *conf)
{
	const struct vm *vm = conf->plan->vm;
	for (size_t i = 0; i < vm->confinement.read_only_paths.n; i++)
		show(conf, vm->confinement.read_only_paths.v[i], false);
	for (size_t i = 0; i < vm->confinement.paths.n; i++) {
		show(conf, vm->confinement.paths.v[i], true);
		if (is_below(vm->confinement.paths.v[i], "/dev"))
			allow_device(conf, vm->confinement.paths.v[i]);
	}
}

static void show_all(struct conf *conf)
{
	for (size_t i = 0; i < conf->plan->vm->volumes.n; i++)
		show_volume(conf, &conf->plan->vm->volumes.v[i]);
	show_shares(conf);
	show_files(conf);
	show_programs(conf);
	show_sockets(conf);
	show_devices(conf);
	show_named(conf);
	if (conf->plan->backend->unit_settings)
		buf_puts(&conf->text, conf->plan->backend->unit_settings);
}

const char *unit_conf(struct arena *arena, const struct plan *plan)
{
	struct conf conf = {.arena = arena, .plan = plan};
	if (!plan->vm->confinement.enable)
		return NULL;
	show_all(&conf);
	const char *text =
		conf.text.n == 0 ? "" : arena_printf(arena, "[Service]\n%s", buf_text(&conf.text));
	buf_free(&conf.text);
	return text;
}
