/* SPDX-License-Identifier: MIT */
#include "compiler/check.h"

#include <arpa/inet.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/shape.h"
#include "compiler/uses.h"
#include "imaging/ext4.h"

struct checker {
	struct arena *arena;
	struct diag *diag;
	const struct vm *vm;
	const struct backend *backend; /* NULL: not implemented yet */
};

/* Longest socket name that fits into sockaddr_un. */
enum { SOCKET_PATH_BYTES = 107, LINUX_INTERFACE_BYTES = 15, VIRTIO_SERIAL_BYTES = 20, HOST_NAME_BYTES = 63 };

#define wrong(checker, where, code, ...) diag_error((checker)->diag, STATUS_DESCRIPTION, (where), (code), __VA_ARGS__)

/* Whether all of these fields mean what the description says; a check of a refused one would tell but a consequence, or find a NULL. */
#define sound(checker, ...) all_sound((checker)->vm, (const void *const[]){__VA_ARGS__, NULL})

static bool all_sound(const struct vm *vm, const void *const *fields)
{
	for (; *fields; fields++)
		if (vm_refused(vm, *fields))
			return false;
	return true;
}

/* Where a field of an element was written, else the element. */
static const struct pos *place(const struct checker *checker, const void *field, const struct pos *element)
{
	const struct pos *where = vm_where(checker->vm, field);
	return where ? where : element;
}

/* A name that becomes part of file names and arguments. */
static void check_name(const struct checker *checker, const struct pos *where, const char *what, const char *name, size_t longest)
{
	if (!is_name(name))
		wrong(checker, where, "bad-name", "%s: \"%.80s\" is no name: letters, digits, '-', '_' and '.', a letter or digit first", what, name);
	else if (strlen(name) > longest)
		wrong(checker, where, "bad-name", "%s: \"%.80s\" is longer than %zu bytes", what, name, longest);
}

static void check_host_name(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (sound(checker, &vm->host_name))
		check_name(checker, vm_where(vm, &vm->host_name), "hostName", vm->host_name, HOST_NAME_BYTES);
}

static void check_store_dir(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (!is_plain_path(vm->store_dir) || strpbrk(vm->store_dir, ":, "))
		wrong(checker, vm_where(vm, &vm->store_dir), "bad-path", "storeDir: \"%.80s\" is no absolute path of a directory, such as /nix/store",
		      vm->store_dir);
}

static void check_machine_id(const struct checker *checker)
{
	const char *id = checker->vm->machine_id;
	if (id && !is_uuid(id))
		wrong(checker, vm_where(checker->vm, &checker->vm->machine_id), "bad-machine-id",
		      "machineId: \"%.80s\" is no UUID of the form 01234567-89ab-cdef-0123-456789abcdef", id);
}

static void check_memory(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const struct pos *where = vm_where(vm, &vm->mem_mib);
	if (sound(checker, &vm->mem_mib) && vm->mem_mib < 32)
		diag_warning(checker->diag, where, "little-memory", "mem: %llu MiB is little for a Linux guest", (unsigned long long)vm->mem_mib);
	if (sound(checker, &vm->hypervisor, &vm->qemu.machine) && strcmp(vm->hypervisor, "qemu") == 0 && vm->mem_mib == 2048 &&
	    (!vm->qemu.machine || strcmp(vm->qemu.machine, "microvm") == 0))
		diag_warning(checker->diag, where, "qemu-2048", "mem: QEMU's microvm machine was seen to hang with exactly 2048 MiB; take 2047 or 2049");
	if (vm->initial_balloon_mem_mib && sound(checker, &vm->balloon) && !vm->balloon)
		wrong(checker, vm_where(vm, &vm->initial_balloon_mem_mib), "bad-memory", "initialBalloonMem: it needs balloon: true");
	if (sound(checker, &vm->mem_mib) && vm->initial_balloon_mem_mib >= vm->mem_mib)
		wrong(checker, vm_where(vm, &vm->initial_balloon_mem_mib), "bad-memory", "initialBalloonMem: %llu MiB leave nothing of mem: %llu MiB",
		      (unsigned long long)vm->initial_balloon_mem_mib, (unsigned long long)vm->mem_mib);
}

static void check_hotplug(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const struct pos *all = vm_where(vm, &vm->hotplug_mem_mib), *plugged = vm_where(vm, &vm->hotplugged_mem_mib);
	if (vm->hotplug_mem_mib % 2)
		wrong(checker, all, "bad-memory", "hotplugMem: %llu MiB is no multiple of 2 MiB", (unsigned long long)vm->hotplug_mem_mib);
	if (plugged && vm->hotplugged_mem_mib % 2)
		wrong(checker, plugged, "bad-memory", "hotpluggedMem: %llu MiB is no multiple of 2 MiB",
		      (unsigned long long)vm->hotplugged_mem_mib);
	if (sound(checker, &vm->hotplug_mem_mib) && vm->hotplugged_mem_mib > vm->hotplug_mem_mib)
		wrong(checker, plugged, "bad-memory", "hotpluggedMem: %llu MiB are more than hotplugMem, which is %llu MiB",
		      (unsigned long long)vm->hotplugged_mem_mib, (unsigned long long)vm->hotplug_mem_mib);
}

static void check_socket(const struct checker *checker)
{
	const char *socket = checker->vm->socket;
	const struct pos *where = vm_where(checker->vm, &checker->vm->socket);
	if (!where || !socket)
		return;
	if (!*socket || strchr(socket, '\n'))
		wrong(checker, where, "bad-socket", "socket: expected a path on one line; null: no socket");
	else if (strlen(socket) > SOCKET_PATH_BYTES)
		wrong(checker, where, "bad-socket", "socket: the path has %zu bytes, a socket's at most %d; a path relative to the state directory is shorter",
		      strlen(socket), SOCKET_PATH_BYTES);
}

static void check_user(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (vm->user)
		check_name(checker, vm_where(vm, &vm->user), "user", vm->user, 32);
}

static void check_credentials(const struct checker *checker)
{
	const struct pairs *files = &checker->vm->credential_files;
	for (size_t i = 0; i < files->n; i++) {
		const struct pos *where = vm_where(checker->vm, files->v[i].key);
		check_name(checker, where, "credentialFiles", files->v[i].key, 30);
		if (!*files->v[i].value)
			wrong(checker, where, "bad-path", "credentialFiles.%.80s: the path is empty", files->v[i].key);
	}
}

static void check_parameters(const struct checker *checker)
{
	const struct strings *parameters = &checker->vm->kernel_params;
	size_t bytes = 0;
	for (size_t i = 0; i < parameters->n; i++) {
		const struct pos *where = vm_where(checker->vm, parameters->v[i]);
		bytes += strlen(parameters->v[i]) + 1;
		if (strpbrk(parameters->v[i], "\n"))
			wrong(checker, where, "bad-parameter", "kernelParams[%zu]: a line break cannot be passed to a kernel", i);
	}
	/* COMMAND_LINE_SIZE is 2048 on x86 and on arm64; ours and the console's take some 300 of it. */
	if (bytes > 1700)
		wrong(checker, vm_where(checker->vm, parameters), "long-parameters", "kernelParams: %zu bytes do not fit into a kernel's command line of 2048, with what is added here", bytes);
}

static void check_bin_scripts(const struct checker *checker)
{
	static const char *const ours[] = {"microvm-run", "microvm-shutdown", "microvm-balloon", "microvm-check"};
	const struct pairs *scripts = &checker->vm->bin_scripts;
	for (size_t i = 0; i < scripts->n; i++) {
		const struct pos *where = vm_where(checker->vm, scripts->v[i].key);
		check_name(checker, where, "binScripts", scripts->v[i].key, 64);
		for (size_t k = 0; k < countof(ours); k++)
			if (strcmp(scripts->v[i].key, ours[k]) == 0)
				wrong(checker, where, "bad-name", "binScripts: %s is made by mvmbuild", ours[k]);
	}
}

static void check_host_path(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	for (size_t i = 0; i < vm->host_path.n; i++)
		if (vm->host_path.v[i][0] != '/' || strpbrk(vm->host_path.v[i], ":\n"))
			wrong(checker, vm_where(vm, vm->host_path.v[i]), "bad-path", "hostPath[%zu]: \"%.80s\" is no absolute path without ':'",
			      i, vm->host_path.v[i]);
	if (vm->host_shell[0] != '/' || strchr(vm->host_shell, '\n'))
		wrong(checker, vm_where(vm, &vm->host_shell), "bad-path", "hostShell: \"%.80s\" is no absolute path", vm->host_shell);
}

/* ---- the store disk ---- */

static void check_store_disk(const struct checker *checker)
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
static void check_store(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (!sound(checker, &vm->store_on_disk, &vm->shares.v) || vm->store_on_disk)
		return;
	for (size_t i = 0; i < vm->shares.n; i++)
		if (!sound(checker, &vm->shares.v[i].source) || strcmp(vm->shares.v[i].source, vm->store_dir) == 0)
			return;
	wrong(checker, vm_where(vm, &vm->store_on_disk), "bad-store-disk", "storeOnDisk: false needs a share whose source is %s", vm->store_dir);
}

static void check_nix_database(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const struct pos *where = vm_where(vm, &vm->nix_database), *initrd = vm_where(vm, &vm->initrd);
	if (!sound(checker, &vm->nix_database) || !where)
		return;
	if (strcmp(vm->nix_database, "registration") == 0 || strcmp(vm->nix_database, "hostOverlay") == 0)
		wrong(checker, where, "not-implemented", "nixDatabase: %s is not implemented yet; prebuilt and none are", vm->nix_database);
	if (strcmp(vm->nix_database, "prebuilt") == 0 && vm->initrd) {
		wrong(checker, where, "bad-nix-database", "nixDatabase: prebuilt is put in place by our stage 1, but another initrd is given");
		diag_note(checker->diag, initrd, "bad-nix-database", "given here");
	}
}

/* ---- volumes ---- */

static void check_mount_point(const struct checker *checker, const struct volume *volume, size_t i)
{
	const char *point = volume->mount_point;
	const struct pos *where = place(checker, &volume->mount_point, &volume->where);
	if (!point)
		return;
	if (!is_plain_path(point))
		wrong(checker, where, "bad-mount-point", "volumes[%zu].mountPoint: \"%.80s\": expected an absolute path such as /var/lib, without \"..\", \"//\" and a final \"/\"",
		      i, point);
	else if (is_within(checker->vm->store_dir, point))
		wrong(checker, where, "bad-mount-point", "volumes[%zu].mountPoint: %s would hide the store %s", i, point, checker->vm->store_dir);
	else if (is_within(point, checker->vm->store_dir))
		wrong(checker, where, "bad-mount-point", "volumes[%zu].mountPoint: %s is inside the store, which cannot be changed", i, point);
}

static void check_created_volume(const struct checker *checker, const struct volume *volume, size_t i)
{
	const struct pos *image_type = place(checker, &volume->image_type, &volume->where);
	if (sound(checker, &volume->size_mib) && !volume->size_mib)
		wrong(checker, &volume->where, "missing-option", "volumes[%zu].size is missing; give it, or set autoCreate: false", i);
	if (volume->size_mib && volume->size_mib < EXT4_MINIMUM_MIB)
		wrong(checker, place(checker, &volume->size_mib, &volume->where), "wrong-size", "volumes[%zu].size: ext4 needs %d MiB", i,
		      EXT4_MINIMUM_MIB);
	if (is_fs_type(volume->fs_type) && strcmp(volume->fs_type, "ext4") != 0)
		wrong(checker, place(checker, &volume->fs_type, &volume->where), "not-implemented",
		      "volumes[%zu].fsType: creating %.40s is not implemented yet; ext4 is", i, volume->fs_type);
	if (strcmp(volume->image_type, "raw") != 0)
		wrong(checker, image_type, "bad-volume", "volumes[%zu].imageType: created images are raw; set autoCreate: false for an existing %s image",
		      i, volume->image_type);
	if (volume->read_only)
		diag_warning(checker->diag, place(checker, &volume->read_only, &volume->where), "empty-volume",
			     "volumes[%zu]: created empty and read-only, so it stays empty", i);
}

static void check_image(const struct checker *checker, const struct volume *volume, size_t i)
{
	const struct pos *where = place(checker, &volume->image, &volume->where);
	if (!*volume->image || strchr(volume->image, '\n'))
		wrong(checker, where, "bad-path", "volumes[%zu].image: expected a path on one line", i);
	if (sound(checker, &volume->read_only) && !volume->read_only && is_within(volume->image, checker->vm->store_dir))
		wrong(checker, where, "bad-volume", "volumes[%zu].image: %s is in the store, which cannot be written; set readOnly: true", i,
		      volume->image);
}

static void check_serial(const struct checker *checker, const struct volume *volume, size_t i)
{
	const struct pos *where = place(checker, &volume->serial, &volume->where);
	if (strlen(volume->serial) > VIRTIO_SERIAL_BYTES || !*volume->serial || !is_made_of(volume->serial, "-_."))
		wrong(checker, where, "bad-serial", "volumes[%zu].serial: expected 1 to %d letters, digits, '-', '_' and '.'", i, VIRTIO_SERIAL_BYTES);
	else if (strncmp(volume->serial, "mvm-", 4) == 0)
		wrong(checker, where, "bad-serial", "volumes[%zu].serial: names that begin with \"mvm-\" are for the disks that mvmbuild names", i);
}

static void check_volume(const struct checker *checker, const struct volume *volume, size_t i)
{
	if (sound(checker, &volume->image))
		check_image(checker, volume, i);
	if (volume->serial)
		check_serial(checker, volume, i);
	if (volume->label && (strlen(volume->label) > 16 || !*volume->label || strpbrk(volume->label, "\n/")))
		wrong(checker, place(checker, &volume->label, &volume->where), "bad-label",
		      "volumes[%zu].label: expected 1 to 16 bytes without '/' and line breaks", i);
	if (!is_fs_type(volume->fs_type))
		wrong(checker, place(checker, &volume->fs_type, &volume->where), "bad-volume", "volumes[%zu].fsType: \"%.40s\" is no file system", i,
		      volume->fs_type);
	check_mount_point(checker, volume, i);
	if (sound(checker, &volume->auto_create) && volume->auto_create)
		check_created_volume(checker, volume, i);
}

/* ---- what must be there only once ---- */

struct claim {
	const char *value;
	struct pos where, element;
};

static int compare_places(const struct pos *a, const struct pos *b)
{
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return (a->column > b->column) - (a->column < b->column);
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = strcmp(x->value, y->value);
	return order ? order : compare_places(&x->element, &y->element);
}

struct claims {
	struct claim *v;
	size_t n, capacity;
};

/* Only what was written is claimed: derived values are as different as what they come from. */
static void claim(const struct checker *checker, struct claims *claims, const char *value, const void *field, const struct pos *element)
{
	const struct pos *where = vm_where(checker->vm, field);
	if (value && where && sound(checker, field))
		vec_push(checker->arena, claims, (struct claim){value, *where, *element});
}

static void refuse_twice(const struct checker *checker, struct claims *claims, const char *what)
{
	if (claims->n)
		qsort(claims->v, claims->n, sizeof *claims->v, compare_claims);
	for (size_t i = 1; i < claims->n; i++) {
		const struct claim *first = &claims->v[i - 1], *second = &claims->v[i];
		if (strcmp(first->value, second->value) != 0)
			continue;
		/* Elements that share the value by an alias or a merge key are told by their own places. */
		bool shared = first->where.file == second->where.file && compare_places(&first->where, &second->where) == 0;
		wrong(checker, shared ? &second->element : &second->where, "used-twice", "%s \"%.80s\" is used twice", what, second->value);
		diag_note(checker->diag, shared ? &first->element : &first->where, "used-twice", "first used here");
	}
}

static void check_volumes(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	struct claims images = {0}, points = {0}, serials = {0}, labels = {0};
	for (size_t i = 0; i < vm->volumes.n; i++) {
		const struct volume *volume = &vm->volumes.v[i];
		check_volume(checker, volume, i);
		claim(checker, &images, simple_path(checker->arena, volume->image), &volume->image, &volume->where);
		claim(checker, &points, volume->mount_point, &volume->mount_point, &volume->where);
		claim(checker, &serials, volume->serial, &volume->serial, &volume->where);
		claim(checker, &labels, volume->label, &volume->label, &volume->where);
	}
	refuse_twice(checker, &images, "volume image");
	refuse_twice(checker, &points, "mount point");
	refuse_twice(checker, &serials, "serial");
	refuse_twice(checker, &labels, "label");
}

/* ---- network ---- */

static void check_interface_type(const struct checker *checker, const struct interface *interface, size_t i)
{
	bool bridge = strcmp(interface->type, "bridge") == 0, macvtap = strcmp(interface->type, "macvtap") == 0;
	if (bridge && !interface->bridge)
		wrong(checker, &interface->where, "missing-option", "interfaces[%zu].bridge is missing: the bridge that it joins", i);
	else if (interface->bridge && !bridge)
		wrong(checker, place(checker, &interface->bridge, &interface->where), "bad-interface",
		      "interfaces[%zu].bridge: only an interface of type bridge joins one", i);
	if (interface->bridge)
		check_name(checker, place(checker, &interface->bridge, &interface->where), "interfaces.bridge", interface->bridge, LINUX_INTERFACE_BYTES);
	if (macvtap && (!interface->macvtap.link || !interface->macvtap.mode))
		wrong(checker, &interface->where, "missing-option", "interfaces[%zu]: a macvtap needs macvtap.link and macvtap.mode", i);
	if (interface->tap.vhost && strcmp(interface->type, "tap") != 0)
		wrong(checker, place(checker, &interface->tap.vhost, &interface->where), "bad-interface", "interfaces[%zu].tap.vhost: only for type tap", i);
}

static void check_interface(const struct checker *checker, const struct interface *interface, size_t i)
{
	if (sound(checker, &interface->id))
		check_name(checker, place(checker, &interface->id, &interface->where), arena_printf(checker->arena, "interfaces[%zu].id", i),
			   interface->id, LINUX_INTERFACE_BYTES);
	if (sound(checker, &interface->mac) && interface->mac && !is_unicast_mac(interface->mac))
		wrong(checker, place(checker, &interface->mac, &interface->where), "bad-mac",
		      "interfaces[%zu].mac: \"%.80s\" is no unicast MAC address such as 02:00:00:00:00:01", i, interface->mac);
	if (sound(checker, &interface->type))
		check_interface_type(checker, interface, i);
}

static void check_interfaces(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	struct claims ids = {0}, macs = {0};
	for (size_t i = 0; i < vm->interfaces.n; i++) {
		const struct interface *interface = &vm->interfaces.v[i];
		check_interface(checker, interface, i);
		claim(checker, &ids, interface->id, &interface->id, &interface->where);
		claim(checker, &macs, lower_case(checker->arena, interface->mac), &interface->mac, &interface->where);
	}
	refuse_twice(checker, &ids, "interface id");
	refuse_twice(checker, &macs, "MAC address");
}

/* An interface whose type was refused may have been meant as one. */
static bool may_have_user_interface(const struct vm *vm)
{
	if (vm_refused(vm, &vm->interfaces.v))
		return true;
	for (size_t i = 0; i < vm->interfaces.n; i++)
		if (vm_refused(vm, &vm->interfaces.v[i].type) || strcmp(vm->interfaces.v[i].type, "user") == 0)
			return true;
	return false;
}

static void check_endpoint(const struct checker *checker, const struct endpoint *end, const struct pos *element, size_t i, const char *name)
{
	struct in_addr parsed;
	if (*end->address && inet_pton(AF_INET, end->address, &parsed) != 1)
		wrong(checker, place(checker, &end->address, element), "bad-address", "forwardPorts[%zu].%s.address: \"%.80s\" is no IPv4 address", i,
		      name, end->address);
}

/* From the guest, QEMU connects a program to an address of the guest's network. */
static void check_from_guest(const struct checker *checker, const struct forward_port *port, size_t i)
{
	if (strcmp(port->proto, "tcp") != 0)
		wrong(checker, place(checker, &port->proto, &port->where), "bad-forwarding", "forwardPorts[%zu].proto: from the guest only tcp is forwarded", i);
	if (!*port->host.address && sound(checker, &port->host.address))
		wrong(checker, &port->where, "bad-forwarding", "forwardPorts[%zu].host.address is missing; from the guest it is needed", i);
	if (!*port->guest.address && sound(checker, &port->guest.address))
		wrong(checker, &port->where, "bad-forwarding", "forwardPorts[%zu].guest.address is missing; from the guest it is needed", i);
}

static void check_forward_ports(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	for (size_t i = 0; i < vm->forward_ports.n; i++) {
		const struct forward_port *port = &vm->forward_ports.v[i];
		check_endpoint(checker, &port->host, &port->where, i, "host");
		check_endpoint(checker, &port->guest, &port->where, i, "guest");
		if (sound(checker, &port->from) && strcmp(port->from, "guest") == 0)
			check_from_guest(checker, port, i);
	}
	if (vm->forward_ports.n && !may_have_user_interface(vm))
		wrong(checker, vm_where(vm, &vm->forward_ports.v), "bad-forwarding", "forwardPorts needs a network interface, as in \"interfaces: [{type: user, id: eth0}]\"");
}

/* ---- shares and devices ---- */

enum { TAG_9P_BYTES = 31, TAG_VIRTIOFS_BYTES = 36 };

static bool translates_ids(const struct strings *arguments)
{
	for (size_t i = 0; i < arguments->n; i++)
		if (strstr(arguments->v[i], "--translate-uid") || strstr(arguments->v[i], "--translate-gid"))
			return true;
	return false;
}

static void check_share(const struct checker *checker, const struct share *share, size_t i)
{
	const struct vm *vm = checker->vm;
	bool virtiofs = strcmp(share->proto, "virtiofs") == 0;
	size_t longest = virtiofs ? TAG_VIRTIOFS_BYTES : TAG_9P_BYTES;
	const struct pos *tag = place(checker, &share->tag, &share->where), *point = place(checker, &share->mount_point, &share->where);
	if (!*share->tag || strlen(share->tag) > longest || !is_made_of(share->tag, "-_.+"))
		wrong(checker, tag, "bad-share", "shares[%zu].tag: 1 to %zu letters, digits, '-', '_', '.' and '+'", i, longest);
	if (!is_plain_path(share->mount_point))
		wrong(checker, point, "bad-mount-point", "shares[%zu].mountPoint: \"%.80s\" is no absolute path", i, share->mount_point);
	if (!*share->source || strchr(share->source, '\n'))
		wrong(checker, place(checker, &share->source, &share->where), "bad-path", "shares[%zu].source: a path on one line is needed", i);
	if (virtiofs && (!share->socket || !*share->socket || strlen(share->socket) > SOCKET_PATH_BYTES))
		wrong(checker, place(checker, &share->socket, &share->where), "bad-socket", "shares[%zu].socket: virtiofs needs a socket, of at most %d bytes", i,
		      SOCKET_PATH_BYTES);
	if (virtiofs && share->posix_acl && (translates_ids(&share->extra_args) || translates_ids(&vm->virtiofsd.extra_args)))
		wrong(checker, place(checker, &share->posix_acl, &share->where), "bad-share",
		      "shares[%zu].posixAcl: virtiofsd cannot translate ids with ACLs; set posixAcl: false", i);
}

static void check_shares(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	struct claims tags = {0}, sockets = {0}, points = {0};
	for (size_t i = 0; i < vm->shares.n; i++) {
		const struct share *share = &vm->shares.v[i];
		if (!share->tag || !share->source || !share->mount_point)
			continue; /* missing options have been reported */
		check_share(checker, share, i);
		claim(checker, &tags, share->tag, &share->tag, &share->where);
		claim(checker, &points, share->mount_point, &share->mount_point, &share->where);
		if (strcmp(share->proto, "virtiofs") == 0)
			claim(checker, &sockets, share->socket, &share->socket, &share->where);
	}
	refuse_twice(checker, &tags, "share tag");
	refuse_twice(checker, &sockets, "share socket");
	refuse_twice(checker, &points, "mount point");
}

static void check_devices(const struct checker *checker)
{
	for (size_t i = 0; i < checker->vm->devices.n; i++) {
		const struct device *device = &checker->vm->devices.v[i];
		const struct pos *where = place(checker, &device->path, &device->where);
		if (!device->bus || !device->path)
			continue;
		if (strcmp(device->bus, "pci") == 0 && !is_pci_address(device->path))
			wrong(checker, where, "bad-device", "devices[%zu].path: \"%.80s\" is no PCI address such as 0000:01:00.0", i, device->path);
		if (strcmp(device->bus, "usb") == 0 && (!*device->path || !is_made_of(device->path, "=,.-_")))
			wrong(checker, where, "bad-device", "devices[%zu].path: \"%.80s\" is no USB device such as vendorid=0xabcd,productid=0x0123", i,
			      device->path);
	}
}

/* ---- what the hypervisor can do ---- */

/* "; qemu and crosvm have" */
static const char *who_can(const struct checker *checker, enum feature feature)
{
	const char *names = NULL;
	for (const struct backend *const *other = backends; *other; other++)
		if ((*other)->capabilities[feature].can == CAN)
			names = arena_printf(checker->arena, "%s%s%s", names ? names : "", names ? ", " : "", (*other)->name);
	return names ? arena_printf(checker->arena, "; supported by %s", names) : "";
}

const char *use_refusal(struct arena *arena, const struct backend *backend, const struct vm *vm, const struct use *use)
{
	const struct capability *capability = &backend->capabilities[use->feature];
	const char *name = feature_name(use->feature), *reason = capability->reason;
	if (capability->can == CAN_NOT)
		return arena_printf(arena, "%s: %s does not support %s%s%s", use->what, backend->name, name, reason ? ": " : "", reason ? reason : "");
	if (capability->can == CAN_WHEN && !capability->holds(vm))
		return arena_printf(arena, "%s: %s supports %s only %s", use->what, backend->name, name, reason);
	return NULL;
}

static void check_use(const struct checker *checker, const struct use *use)
{
	const struct capability *capability = &checker->backend->capabilities[use->feature];
	/* A condition may hang on an option that was refused. */
	if (capability->can == CAN_WHEN && vm_refused(checker->vm, NULL))
		return;
	const char *refusal = use_refusal(checker->arena, checker->backend, checker->vm, use);
	if (refusal)
		wrong(checker, use->where, "not-supported", "%s%s", refusal, who_can(checker, use->feature));
	else if (capability->can == CAN_IGNORE)
		diag_warning(checker->diag, use->where, "ignored", "%s: %s does not support %s%s%s; ignored", use->what, checker->backend->name,
			     feature_name(use->feature), capability->reason ? ": " : "", capability->reason ? capability->reason : "");
}

/* "; qemu is" */
static const char *implemented(const struct checker *checker)
{
	const char *names = "";
	for (const struct backend *const *backend = backends; *backend; backend++)
		names = arena_printf(checker->arena, "%s%s%s", names, *names ? ", " : "; ", (*backend)->name);
	return arena_printf(checker->arena, "%s %s", names, backends[0] && backends[1] ? "are" : "is");
}

static void check_capabilities(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (!sound(checker, &vm->hypervisor))
		return;
	if (!checker->backend) {
		wrong(checker, vm_where(vm, &vm->hypervisor), "not-implemented", "hypervisor: %s is not implemented yet%s", vm->hypervisor,
		      implemented(checker));
		return;
	}
	struct uses uses = {0};
	vm_uses(checker->arena, vm, &uses);
	for (size_t i = 0; i < uses.n; i++)
		check_use(checker, &uses.v[i]);
	/* A backend's own rules look at whole elements, which are whole when nothing was refused. */
	if (checker->backend->check && !vm_refused(vm, NULL))
		checker->backend->check(checker->diag, vm);
}

static void (*const checks[])(const struct checker *) = {
	check_host_name,    check_store_dir,  check_machine_id, check_memory,     check_hotplug,    check_socket,
	check_user,         check_credentials, check_parameters, check_bin_scripts, check_host_path, check_store_disk,
	check_store,       check_nix_database, check_volumes,    check_interfaces, check_forward_ports, check_shares,
	check_devices,	    check_capabilities,
};

bool vm_check(struct arena *arena, struct diag *diag, const struct vm *vm)
{
	const struct checker checker = {arena, diag, vm, backend_find(vm->hypervisor)};
	size_t before = diag_error_count(diag);
	for (size_t i = 0; i < countof(checks); i++)
		checks[i](&checker);
	return diag_error_count(diag) == before;
}

/* What the hypervisor's own rules say; their places do not matter here. */
static void add_own_rules(struct arena *arena, const struct backend *backend, const struct vm *vm, struct json_object *reasons)
{
	if (!backend->check)
		return;
	struct diag *diag = diag_new(arena);
	backend->check(diag, vm);
	for (size_t i = 0; i < diag_error_count(diag); i++)
		json_object_array_add(reasons, json_object_new_string(diag_error_text(diag, i)));
}

struct json_object *vm_matrix(struct arena *arena, const struct vm *vm)
{
	struct json_object *matrix = json_object_new_object();
	struct uses uses = {0};
	vm_uses(arena, vm, &uses);
	for (const struct backend *const *backend = backends; *backend; backend++) {
		struct json_object *reasons = json_object_new_array();
		for (size_t i = 0; i < uses.n; i++) {
			const char *refusal = use_refusal(arena, *backend, vm, &uses.v[i]);
			if (refusal)
				json_object_array_add(reasons, json_object_new_string(refusal));
		}
		add_own_rules(arena, *backend, vm, reasons);
		json_object_object_add(matrix, (*backend)->name, reasons);
	}
	return matrix;
}
