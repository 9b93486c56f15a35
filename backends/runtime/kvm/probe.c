/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/runtime/base/runtime.h"
#include "backends/runtime/kvm/kvm.h"

int verb_accel(char **arguments)
{
	(void)arguments;
	const char *forced = getenv("MICROVM_ACCEL");
	if (forced && !*forced)
		forced = NULL;
	if (forced && strcmp(forced, "kvm") && strcmp(forced, "tcg")) {
		complain("MICROVM_ACCEL must be kvm or tcg, not '%s'", forced);
		return STATUS_USAGE;
	}
	if (forced && !strcmp(forced, "tcg")) {
		puts("tcg");
		return STATUS_OK;
	}
	struct reason why;
	if (kvm_usable(&why)) {
		puts("kvm");
		return STATUS_OK;
	}
	if (forced) {
		complain("MICROVM_ACCEL=kvm cannot be obeyed: %s", why.text);
		return STATUS_FAILED;
	}
	complain("%s; the guest runs slowly, without KVM", why.text);
	puts("tcg");
	return STATUS_OK;
}

#if defined __x86_64__

enum {
	WINDOWS = 3,
	WINDOW_MS = 7,
	READINGS = 5, /* for one point in time, of which the fastest counts */
	/* real CPU frequencies are multiples of this; the noise of a window is about 10 kHz */
	KHZ_STEP = 100,
	KHZ_MIN = 100000,
	KHZ_MAX = 20000000,
};

struct instant {
	uint64_t tsc;
	int64_t ns;
};

static struct instant instant_read(void)
{
	struct instant best = {0};
	uint64_t closest = UINT64_MAX;
	for (int i = 0; i < READINGS; i++) {
		struct timespec now;
		uint64_t before = __builtin_ia32_rdtsc();
		clock_gettime(CLOCK_MONOTONIC_RAW, &now);
		uint64_t taken = __builtin_ia32_rdtsc() - before;
		if (taken >= closest)
			continue;
		closest = taken;
		best = (struct instant){
			before + taken / 2, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec};
	}
	return best;
}

static uint64_t window_khz(void)
{
	struct instant start = instant_read();
	sleep_ms(WINDOW_MS);
	struct instant end = instant_read();
	return end.ns > start.ns ? (end.tsc - start.tsc) * 1000000 / (uint64_t)(end.ns - start.ns)
				 : 0;
}

static int khz_compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

int verb_tsc_khz(char **arguments)
{
	(void)arguments;
	uint64_t khz[WINDOWS];
	for (int i = 0; i < WINDOWS; i++)
		khz[i] = window_khz();
	qsort(khz, WINDOWS, sizeof *khz, khz_compare);
	uint64_t median = khz[WINDOWS / 2];
	if (median < KHZ_MIN || median > KHZ_MAX) {
		complain("the time stamp counter runs at %llu kHz, which is useless as a clock",
			(unsigned long long)median);
		return STATUS_FAILED;
	}
	printf("%llu\n", (unsigned long long)((median + KHZ_STEP / 2) / KHZ_STEP * KHZ_STEP));
	return STATUS_OK;
}

#else

int verb_tsc_khz(char **arguments)
{
	(void)arguments;
	return STATUS_FAILED;
}

#endif
