/* SPDX-License-Identifier: MIT */
#include "compiler/check/required_features.h"

struct user {
	struct arena *arena;
	const struct vm *vm;
	struct uses *uses;
};

static void add(const struct user *user, bool wanted, enum feature feature, const char *what,
	const struct pos *where)
{
	if (wanted)
		vec_push(user->arena, user->uses, (struct use){feature, what, where});
}

/* An option of the whole VM. */
static void add_option(const struct user *user, bool wanted, enum feature feature, const char *what,
	const void *field)
{
	add(user, wanted && !vm_refused(user->vm, field), feature, what, vm_where(user->vm, field));
}

/* Returns where an element's option was written, or the element's own position. */
static const struct pos *where_of(
	const struct user *user, const void *field, const struct pos *element)
{
	const struct pos *where = vm_where(user->vm, field);
	return where ? where : element;
}

static void add_shares(const struct user *user)
{
	for (size_t i = 0; i < user->vm->shares.n; i++) {
		const struct share *share = &user->vm->shares.v[i];
		const char *what = arena_printf(user->arena, "shares[%zu]", i);
		add(user, share->proto == SHARE_9P, FEATURE_9P, what, &share->where);
		add(user, share->proto == SHARE_VIRTIOFS, FEATURE_VIRTIOFS, what, &share->where);
		add(user, share->dax, FEATURE_SHARE_DAX, arena_printf(user->arena, "%s.dax", what),
			where_of(user, &share->dax, &share->where));
	}
}

static void add_interfaces(const struct user *user)
{
	static const enum feature features[] = {
		[INTERFACE_USER] = FEATURE_USER_NETWORK,
		[INTERFACE_TAP] = FEATURE_TAP,
		[INTERFACE_MACVTAP] = FEATURE_MACVTAP,
		[INTERFACE_BRIDGE] = FEATURE_BRIDGE,
	};
	for (size_t i = 0; i < user->vm->interfaces.n; i++) {
		const struct interface *interface = &user->vm->interfaces.v[i];
		const char *what = arena_printf(user->arena, "interfaces[%zu]", i);
		if (interface->type != INTERFACE_REFUSED)
			add(user, true, features[interface->type], what,
				where_of(user, &interface->type, &interface->where));
		add(user, interface->tap.vhost, FEATURE_VHOST_NET, what,
			where_of(user, &interface->tap.vhost, &interface->where));
	}
	add_option(user, user->vm->forward_ports.n, FEATURE_FORWARD_PORTS, "forwardPorts",
		&user->vm->forward_ports.v);
}

static void add_volumes(const struct user *user)
{
	for (size_t i = 0; i < user->vm->volumes.n; i++) {
		const struct volume *volume = &user->vm->volumes.v[i];
		const char *what = arena_printf(user->arena, "volumes[%zu]", i);
		const struct pos *type = where_of(user, &volume->image_type, &volume->where);
		add(user, volume->read_only, FEATURE_READ_ONLY_VOLUMES, what,
			where_of(user, &volume->read_only, &volume->where));
		add(user, volume->direct, FEATURE_DIRECT, what,
			where_of(user, &volume->direct, &volume->where));
		add(user, volume->serial, FEATURE_SERIAL, what,
			where_of(user, &volume->serial, &volume->where));
		add(user, volume->image_type == IMAGE_QCOW2, FEATURE_QCOW2, what, type);
		add(user, volume->image_type == IMAGE_VHD || volume->image_type == IMAGE_VHDX,
			FEATURE_VHD, what, type);
	}
}

static void add_devices(const struct user *user)
{
	for (size_t i = 0; i < user->vm->devices.n; i++) {
		const struct device *device = &user->vm->devices.v[i];
		const char *what = arena_printf(user->arena, "devices[%zu]", i);
		add(user, device->bus == BUS_PCI, FEATURE_PCI_DEVICES, what, &device->where);
		add(user, device->bus == BUS_USB, FEATURE_USB_DEVICES, what, &device->where);
	}
}

static void add_machine(const struct user *user)
{
	const struct vm *vm = user->vm;
	add_option(user, vm->cpu, FEATURE_CPU, "cpu", &vm->cpu);
	add_option(user, vm->hugepage_mem, FEATURE_HUGEPAGES, "hugepageMem", &vm->hugepage_mem);
	add_option(user, vm->hotplug_mem_mib, FEATURE_HOTPLUG_MEMORY, "hotplugMem",
		&vm->hotplug_mem_mib);
	add_option(user, vm->balloon, FEATURE_BALLOON, "balloon", &vm->balloon);
	add_option(user, vm->initial_balloon_mem_mib, FEATURE_INITIAL_BALLOON, "initialBalloonMem",
		&vm->initial_balloon_mem_mib);
	add_option(user, vm->machine_id && vm_where(vm, &vm->machine_id), FEATURE_MACHINE_ID,
		"machineId", &vm->machine_id);
	add_option(user, vm->credential_files.n, FEATURE_CREDENTIALS, "credentialFiles",
		&vm->credential_files);
	add_option(user, vm->store_on_disk && vm->store_disk.device == STORE_PMEM, FEATURE_PMEM,
		"storeDisk.device", &vm->store_disk.device);
	add_option(user, vm->store_on_disk && vm->store_disk.direct, FEATURE_STORE_DIRECT,
		"storeDisk.direct", &vm->store_disk.direct);
	add_option(user, !vm->socket, FEATURE_NO_SOCKET, "socket", &vm->socket);
	add_option(user, vm->user, FEATURE_USER, "user", &vm->user);
	add_option(user, vm->vsock.cid >= 0, FEATURE_VSOCK, "vsock.cid", &vm->vsock.cid);
	add_option(user, vm->vsock.notify && vm_where(vm, &vm->vsock.notify), FEATURE_NOTIFY,
		"vsock.notify", &vm->vsock.notify);
	add_option(user, vm->graphics.enable, FEATURE_GRAPHICS, "graphics.enable",
		&vm->graphics.enable);
	for (size_t i = 0; backends[i]; i++)
		add_option(user, vm->own[i]->pcie_root_ports.n, FEATURE_ROOT_PORTS,
			arena_printf(user->arena, "%s.pcieRootPorts", backends[i]->name),
			&vm->own[i]->pcie_root_ports.v);
}

void vm_uses(struct arena *arena, const struct vm *vm, struct uses *uses)
{
	const struct user user = {arena, vm, uses};
	add_machine(&user);
	add_volumes(&user);
	add_shares(&user);
	add_interfaces(&user);
	add_devices(&user);
}
