/* SPDX-License-Identifier: MIT */
#include "backends/runtime/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "backends/runtime/kvm/speed.h"

#define DEVICE "/dev/kvm"

static bool explain_missing(struct reason *why)
{
	const char *feature = cpu_virtualization();
#if defined __x86_64__
	if (!feature)
		return reason_set(why,
			"no " DEVICE ": the CPU has neither vmx nor svm (switched off in the "
			"firmware, or a VM without nesting)");
#endif
	return reason_set(why,
		"no " DEVICE
		"%s%s: load the kvm module%s, or pass the device on into this container",
		feature ? ", though the CPU has " : "", feature ? feature : "",
		!feature                          ? ""
			: !strcmp(feature, "vmx") ? " kvm_intel"
						  : " kvm_amd");
}

static bool explain_permission(struct reason *why)
{
	struct stat status;
	if (stat(DEVICE, &status) < 0)
		return reason_set(why, "no permission on " DEVICE);
	const struct group *group = getgrgid(status.st_gid);
	char number[24];
	snprintf(number, sizeof number, "%lu", (unsigned long)status.st_gid);
	const char *name = group ? group->gr_name : number;
	if ((status.st_mode & 060) == 060)
		return reason_set(
			why, "no permission on " DEVICE ": it requires the group %s", name);
	return reason_set(why,
		"no permission on " DEVICE ": its mode is %04o, its owner %lu, its group %s",
		(unsigned)status.st_mode & 07777, (unsigned long)status.st_uid, name);
}

static int device_open(struct reason *why)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		explain_missing(why);
	else if (errno == EACCES)
		explain_permission(why);
	else if (errno == ENXIO || errno == ENODEV)
		reason_set(why, DEVICE " exists, but no kvm module is loaded");
	else
		reason_set(why, "cannot open " DEVICE ": %s", strerror(errno));
	return -1;
}

/*
 * On Arm the type is the number of bits of guest addresses; 0 means 40, which small chips refuse.
 */
static unsigned long vm_type(int kvm)
{
#if defined __aarch64__
	int bits = ioctl(kvm, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_ARM_VM_IPA_SIZE);
	return bits > 0 ? (unsigned long)bits : 0;
#else
	(void)kvm;
	return 0;
#endif
}

static int vm_create(int kvm, struct reason *why)
{
	int version = ioctl(kvm, KVM_GET_API_VERSION, 0UL);
	if (version != KVM_API_VERSION) {
		reason_set(why, DEVICE " exists, but is not KVM");
		return -1;
	}
	int vm;
	do
		vm = ioctl(kvm, KVM_CREATE_VM, vm_type(kvm));
	while (vm < 0 && errno == EINTR);
	if (vm < 0)
		reason_set(why, DEVICE " exists, but cannot create a VM: %s%s", strerror(errno),
			errno == EBUSY ? " (another hypervisor has the CPU)" : "");
	return vm;
}

bool kvm_usable(struct reason *why)
{
	int kvm = device_open(why);
	if (kvm < 0)
		return false;
	int vm = vm_create(kvm, why);
	bool usable = vm >= 0 && loop_runs_well(kvm, vm, why);
	if (vm >= 0)
		close(vm);
	close(kvm);
	return usable;
}
