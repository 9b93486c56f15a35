/* SPDX-License-Identifier: MIT */
/*
 * Even if /dev/kvm creates a VM, it may not run guests. kvm_pvm, on x86 hosts without vmx and svm,
 * interprets every guest that was not built for it, more than a thousand times slower, until it
 * reaches an unknown instruction. So a loop is timed inside and outside of a VM. Only the ratio is
 * meaningful: a VM whose own host emulates everything is always slow.
 */
#include "backends/runtime/kvm/speed.h"

#if !defined __x86_64__

#include <stddef.h>

const char *cpu_virtualization(void)
{
	return NULL;
}

bool loop_runs_well(int kvm, int vm, struct reason *why)
{
	(void)kvm, (void)vm, (void)why;
	return true;
}

#else

#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm.h>

enum {
	ROUNDS = 20000,
	RUNS = 3,        /* the fastest counts; others may have been interrupted */
	RATIO_MAX = 100, /* hardware: 1 to 10, for entry and exit; interpreted: 1000 and more */
	GIVE_UP_S = 1,
	PAGE_BYTES = 4096,
};

struct guest {
	int vcpu;
	void *page;
	struct kvm_run *run;
	size_t run_size;
};

/* C libraries disagree on the type of the request; an int holds all 32 bits of it. */
static int call(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, (int)request, argument);
}

const char *cpu_virtualization(void)
{
	unsigned a, b, c, d;
	if (__get_cpuid(1, &a, &b, &c, &d) && c & 1u << 5)
		return "vmx";
	if (__get_cpuid(0x80000001, &a, &b, &c, &d) && c & 1u << 2)
		return "svm";
	return NULL;
}

static int64_t clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t time_native(void)
{
	int64_t start = clock_ns();
	uint32_t rounds = ROUNDS;
	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(rounds) : : "cc");
	return clock_ns() - start;
}

/*
 * Uses 32-bit protected mode without paging: even CPUs that cannot run real mode in a VM run it
 * natively.
 */
static bool enter_flat_mode(int vcpu)
{
	struct kvm_sregs system;
	if (call(vcpu, KVM_GET_SREGS, &system) < 0)
		return false;
	struct kvm_segment segment = {.limit = UINT32_MAX,
		.selector = 8,
		.type = 11,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1};
	system.cs = segment;
	segment.selector = 16;
	segment.type = 3;
	system.ds = system.es = system.fs = system.gs = system.ss = segment;
	system.cr0 |= 1;
	return call(vcpu, KVM_SET_SREGS, &system) == 0;
}

static bool guest_make(int kvm, int vm, struct guest *guest)
{
	static const uint8_t code[] = {0x49, 0x75, 0xfd, 0xf4}; /* dec ecx; jnz -3; hlt */
	guest->page =
		mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (guest->page == MAP_FAILED)
		return false;
	memcpy(guest->page, code, sizeof code);
	struct kvm_userspace_memory_region memory = {
		.memory_size = PAGE_BYTES, .userspace_addr = (uintptr_t)guest->page};
	if (call(vm, KVM_SET_USER_MEMORY_REGION, &memory) < 0)
		return false;
	/* Old Intel CPUs need three pages of address space for themselves; others ignore it. */
	ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000UL);
	guest->vcpu = ioctl(vm, KVM_CREATE_VCPU, 0UL);
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0UL);
	if (guest->vcpu < 0 || size < (int)sizeof *guest->run)
		return false;
	guest->run_size = (size_t)size;
	guest->run =
		mmap(NULL, guest->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, guest->vcpu, 0);
	return guest->run != MAP_FAILED && enter_flat_mode(guest->vcpu);
}

static void guest_free(struct guest *guest)
{
	if (guest->run != MAP_FAILED)
		munmap(guest->run, guest->run_size);
	if (guest->vcpu >= 0)
		close(guest->vcpu);
	if (guest->page != MAP_FAILED)
		munmap(guest->page, PAGE_BYTES);
}

/* Returns the time until HLT; -1 if the guest does not reach it. */
static int64_t time_guest(const struct guest *guest)
{
	struct kvm_regs registers = {.rcx = ROUNDS, .rflags = 2};
	if (call(guest->vcpu, KVM_SET_REGS, &registers) < 0)
		return -1;
	int64_t start = clock_ns(), taken;
	int result;
	do {
		result = call(guest->vcpu, KVM_RUN, NULL);
		taken = clock_ns() - start;
	} while (result < 0 && errno == EINTR && taken < GIVE_UP_S * INT64_C(1000000000));
	if (result < 0 && errno == EINTR)
		return taken;
	return result == 0 && guest->run->exit_reason == KVM_EXIT_HLT ? taken : -1;
}

static bool compare(const struct guest *guest, struct reason *why)
{
	int64_t native = INT64_MAX, inside = INT64_MAX;
	for (int i = 0; i < RUNS; i++) {
		int64_t taken = time_native();
		native = taken < native ? taken : native;
		taken = time_guest(guest);
		if (taken < 0)
			return reason_set(why, "/dev/kvm exists, but does not run a guest's code");
		inside = taken < inside ? taken : inside;
	}
	int64_t ratio = inside / (native > 0 ? native : 1);
	if (ratio <= RATIO_MAX)
		return true;
	return reason_set(why,
		"/dev/kvm exists, but runs a guest's code %lld times slower than the CPU itself%s",
		(long long)ratio, cpu_virtualization() ? "" : " (it has neither vmx nor svm)");
}

static void on_alarm(int number)
{
	(void)number;
}

bool loop_runs_well(int kvm, int vm, struct reason *why)
{
	/*
	 * Without SA_RESTART the alarm interrupts a KVM_RUN that does not return. It repeats,
	 * because one may arrive just before the call.
	 */
	struct sigaction action = {.sa_handler = on_alarm};
	sigaction(SIGALRM, &action, NULL);
	struct itimerval timer = {.it_interval = {.tv_sec = GIVE_UP_S},
				 .it_value = {.tv_sec = GIVE_UP_S}},
			 off = {0};
	setitimer(ITIMER_REAL, &timer, NULL);
	struct guest guest = {.vcpu = -1, .page = MAP_FAILED, .run = MAP_FAILED};
	bool good = guest_make(kvm, vm, &guest)
		? compare(&guest, why)
		: reason_set(why, "/dev/kvm exists, but cannot create a virtual CPU: %s",
			  strerror(errno));
	setitimer(ITIMER_REAL, &off, NULL);
	guest_free(&guest);
	return good;
}

#endif
