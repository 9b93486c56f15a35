/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "compiler/check/check.h"
#include "imaging/kernel/parameters.h"

enum { HUGE_PAGE_MIB = 2 };

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

void check_credentials(const struct checker *checker)
{
	const struct pairs *files = &checker->vm->credential_files;
	for (size_t i = 0; i < files->n; i++) {
		const struct pos *where = vm_where(checker->vm, files->v[i].key);
		if (checker->vm->vsock.notify && strcmp(files->v[i].key, "vmm.notify_socket") == 0)
			check_error(checker, where, "used-twice",
				"credentialFiles.vmm.notify_socket: vsock.notify already provides "
				"this credential");
		if (!*files->v[i].value)
			check_error(checker, where, "bad-path",
				"credentialFiles.%.80s: the path is empty", files->v[i].key);
	}
}

static void check_parameter(const struct checker *checker, size_t i)
{
	const char *text = checker->vm->kernel_params.v[i];
	const struct pos *where = vm_where(checker->vm, text);
	struct strings parts = {0};
	parameters_split_element(checker->arena, text, &parts);
	for (size_t k = 0; k < parts.n; k++) {
		const char *problem = parameter_problem(parts.v[k]);
		if (problem) {
			check_error(checker, where, "bad-parameter", "kernelParams[%zu]: %s", i,
				problem);
			return;
		}
	}
	if (parts.n > 1)
		diag_warning(checker->diag, where, "split-parameter",
			"kernelParams[%zu]: \"%.200s\" becomes %zu parameters, because the kernel "
			"splits at blanks; write each as an element of its own, or put the value "
			"in double quotes: name=\"a b\"",
			i, text, parts.n);
}

void check_parameters(const struct checker *checker)
{
	const struct strings *parameters = &checker->vm->kernel_params;
	size_t bytes = 0;
	for (size_t i = 0; i < parameters->n; i++) {
		bytes += strlen(parameters->v[i]) + 1;
		check_parameter(checker, i);
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
