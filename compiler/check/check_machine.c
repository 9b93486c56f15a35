/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "compiler/check/check.h"
#include "imaging/kernel/parameters.h"

enum { HOST_NAME_BYTES = 63, HUGE_PAGE_MIB = 2 };

void check_host_name(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (check_accepted(checker, &vm->host_name))
		check_name(checker, vm_where(vm, &vm->host_name), "hostName", vm->host_name,
			HOST_NAME_BYTES);
}

void check_machine_id(const struct checker *checker)
{
	const char *id = checker->vm->machine_id;
	if (id && !is_uuid(id))
		check_error(checker, vm_where(checker->vm, &checker->vm->machine_id),
			"bad-machine-id",
			"machineId: \"%.80s\" is not a UUID of the form "
			"01234567-89ab-cdef-0123-456789abcdef",
			id);
}

void check_memory(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const struct pos *where = vm_where(vm, &vm->mem_mib);
	if (check_accepted(checker, &vm->mem_mib) && vm->mem_mib < 32)
		diag_warning(checker->diag, where, "little-memory",
			"mem: %llu MiB is little for a Linux guest",
			(unsigned long long)vm->mem_mib);
	if (checker->backend && checker->backend->hugetlb &&
		check_accepted(checker, &vm->mem_mib, &vm->hugepage_mem) && vm->hugepage_mem &&
		vm->mem_mib % HUGE_PAGE_MIB)
		check_error(checker, where ? where : vm_where(vm, &vm->hugepage_mem), "bad-memory",
			"mem: %llu MiB is not a multiple of the huge page size, which is at least "
			"%d MiB",
			(unsigned long long)vm->mem_mib, HUGE_PAGE_MIB);
	if (vm->initial_balloon_mem_mib && check_accepted(checker, &vm->balloon) && !vm->balloon)
		check_error(checker, vm_where(vm, &vm->initial_balloon_mem_mib), "bad-memory",
			"initialBalloonMem requires balloon: true");
	if (check_accepted(checker, &vm->mem_mib) && vm->initial_balloon_mem_mib >= vm->mem_mib)
		check_error(checker, vm_where(vm, &vm->initial_balloon_mem_mib), "bad-memory",
			"initialBalloonMem: %llu MiB must be less than mem, which is %llu MiB",
			(unsigned long long)vm->initial_balloon_mem_mib,
			(unsigned long long)vm->mem_mib);
}

void check_hotplug(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	const struct pos *all = vm_where(vm, &vm->hotplug_mem_mib),
			 *plugged = vm_where(vm, &vm->hotplugged_mem_mib);
	if (vm->hotplug_mem_mib % 2)
		check_error(checker, all, "bad-memory",
			"hotplugMem: %llu MiB is not a multiple of 2 MiB",
			(unsigned long long)vm->hotplug_mem_mib);
	if (plugged && vm->hotplugged_mem_mib % 2)
		check_error(checker, plugged, "bad-memory",
			"hotpluggedMem: %llu MiB is not a multiple of 2 MiB",
			(unsigned long long)vm->hotplugged_mem_mib);
	if (check_accepted(checker, &vm->hotplug_mem_mib) &&
		vm->hotplugged_mem_mib > vm->hotplug_mem_mib)
		check_error(checker, plugged, "bad-memory",
			"hotpluggedMem: %llu MiB is more than hotplugMem, which is %llu MiB",
			(unsigned long long)vm->hotplugged_mem_mib,
			(unsigned long long)vm->hotplug_mem_mib);
}

/*
 * The window is a PCI BAR, so its size is a power of two. QEMU accepts a plain number of bytes or a
 * number with one of these suffixes.
 */
static bool is_window(const char *text)
{
	static const char units[] = "KMGT";
	size_t digits = strspn(text, "0123456789");
	const char *suffix = text + digits;
	if (!digits || digits > 12 || (*suffix && (!strchr(units, *suffix) || suffix[1])))
		return false;
	unsigned long long number = strtoull(text, NULL, 10);
	return number && !(number & (number - 1));
}

void check_graphics(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (check_accepted(checker, &vm->graphics.hostmem) && !is_window(vm->graphics.hostmem))
		check_error(checker, vm_where(vm, &vm->graphics.hostmem), "wrong-size",
			"graphics.hostmem: \"%.40s\" is not a valid window size: expected a power "
			"of two, with K, M, G or T, such as 256M",
			vm->graphics.hostmem);
}

/* Versions are compared numerically; any other text would count as the oldest version. */
void check_versions(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	for (size_t i = 0; backends[i]; i++) {
		const char *const *version = &vm->own[i]->version;
		if (*version && !is_version(*version))
			check_error(checker, vm_where(vm, version), "bad-version",
				"%s.version: \"%.40s\" is not a version such as 51 or 9.1; omit it "
				"for the current version",
				backends[i]->name, *version);
	}
}

void check_vsock(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	bool has_cid = vm->vsock.cid >= 0 || !check_accepted(checker, &vm->vsock.cid);
	if (vm->vsock.notify && !has_cid && check_accepted(checker, &vm->hypervisor) &&
		!vm->hypervisor->vsock_by_arguments)
		check_error(checker, vm_where(vm, &vm->vsock.notify), "missing-option",
			"vsock.notify requires vsock.cid");
	const struct pos *startup = vm_where(vm, &vm->startup_timeout);
	if (startup && !vm->vsock.notify)
		diag_warning(checker->diag, startup, "ignored",
			"startupTimeout: ignored, because the guest does not report its startup; "
			"see vsock.notify");
	if (vm->vsock.ssh.enable && !has_cid)
		check_error(checker, vm_where(vm, &vm->vsock.ssh.enable), "missing-option",
			"vsock.ssh.enable requires vsock.cid");
}

/*
 * A fw_cfg file name has at most 55 bytes (FW_CFG_MAX_FILE_PATH in QEMU's hw/nvram/fw_cfg.h), of
 * which "opt/io.systemd.credentials/" takes 27.
 */
enum { CREDENTIAL_BYTES = 28 };

void check_credentials(const struct checker *checker)
{
	const struct pairs *files = &checker->vm->credential_files;
	for (size_t i = 0; i < files->n; i++) {
		const struct pos *where = vm_where(checker->vm, files->v[i].key);
		check_name(checker, where, "credentialFiles", files->v[i].key, CREDENTIAL_BYTES);
		if (checker->vm->vsock.notify && strcmp(files->v[i].key, "vmm.notify_socket") == 0)
			check_error(checker, where, "used-twice",
				"credentialFiles.vmm.notify_socket: vsock.notify already provides "
				"this credential");
		if (!*files->v[i].value)
			check_error(checker, where, "bad-path",
				"credentialFiles.%.80s: the path is empty", files->v[i].key);
	}
}

void check_parameters(const struct checker *checker)
{
	const struct strings *parameters = &checker->vm->kernel_params;
	size_t bytes = 0;
	for (size_t i = 0; i < parameters->n; i++) {
		const struct pos *where = vm_where(checker->vm, parameters->v[i]);
		bytes += strlen(parameters->v[i]) + 1;
		const char *problem = parameter_problem(parameters->v[i]);
		if (problem)
			check_error(checker, where, "bad-parameter", "kernelParams[%zu]: %s", i,
				problem);
	}
	/*
	 * COMMAND_LINE_SIZE is 2048 on x86 and arm64. The length of the other parameters is known
	 * only when the VM is planned.
	 */
	if (bytes > 1900)
		check_error(checker, vm_where(checker->vm, parameters), "long-parameters",
			"kernelParams: %zu bytes are too long for the kernel's command line of "
			"2048 bytes, to which mvmbuild adds its own parameters",
			bytes);
}
