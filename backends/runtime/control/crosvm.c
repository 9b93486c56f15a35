/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backends/runtime/base/child.h"
#include "backends/runtime/base/peer.h"
#include "backends/runtime/base/runtime.h"
#include "backends/runtime/control/json.h"
#include "backends/runtime/shares/notify.h"

enum {
	/*
	 * fraction of the time before the button is pressed again: the guest may not have listened
	 * yet
	 */
	GRACE_PART = 3,
	ANSWER_MS = 10000, /* for any single answer */
	END_MS = 10000,    /* for the process to exit after the request */
	POLL_MS = 200,
	/* without a change of the balloon; a guest under load takes a second to react */
	STABLE_MS = 2000,
	NUMBER_BYTES = 24,
};
#define MIB UINT64_C(1048576)

struct crosvm {
	const char *program, *socket;
	int process; /* a pidfd; -1 if the kernel does not provide one */
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Finds out whether there is a VM. The connection itself is not used. */
static enum peer_status crosvm_find(
	struct crosvm *crosvm, const char *socket, const char *program, struct reason *why)
{
	struct peer peer;
	enum peer_status status = peer_open(&peer, socket, clock_ms() + ANSWER_MS, why);
	*crosvm = (struct crosvm){program, socket, peer.process};
	peer.process = -1;
	peer_close(&peer);
	if (status == PEER_TIMEOUT)
		reason_set(why, "the hypervisor hangs");
	return status;
}

static bool tell(
	const struct crosvm *crosvm, const char *command, int64_t deadline, struct reason *why)
{
	const char *const argv[] = {crosvm->program, command, crosvm->socket, NULL};
	return child_run(argv, earlier(deadline, clock_ms() + ANSWER_MS), NULL, why);
}

static bool end(const struct crosvm *crosvm, struct reason *why)
{
	if (tell(crosvm, "stop", clock_ms() + ANSWER_MS, why))
		return true;
	return crosvm->process >= 0 &&
		(syscall(SYS_pidfd_send_signal, crosvm->process, SIGTERM, NULL, 0) == 0 ||
			errno == ESRCH);
}

static int cut_off(const struct crosvm *crosvm, uint64_t seconds)
{
	struct reason why;
	if (!end(crosvm, &why)) {
		complain("%s: cannot terminate crosvm: %s; kill it", crosvm->socket, why.text);
		return STATUS_FAILED;
	}
	if (!listener_wait(crosvm->socket, crosvm->process, clock_ms() + END_MS)) {
		complain("%s: crosvm did not exit within %d s of the request; kill it",
			crosvm->socket, END_MS / 1000);
		return STATUS_FAILED;
	}
	complain("%s: the guest did not shut down within %" PRIu64 " s; it was cut off",
		crosvm->socket, seconds);
	return STATUS_CUT_OFF;
}

static int bring_down(const struct crosvm *crosvm, uint64_t seconds)
{
	int64_t deadline = clock_ms() + (int64_t)seconds * 1000,
		grace = clock_ms() + (int64_t)seconds * 1000 / GRACE_PART;
	struct reason why;
	bool asked = tell(crosvm, "powerbtn", deadline, &why);
	if (!asked)
		complain("%s: %s", crosvm->socket, why.text);
	/* A guest that cannot be asked may already be shutting down. */
	if (listener_wait(crosvm->socket, crosvm->process, grace))
		return STATUS_OK;
	if (asked)
		tell(crosvm, "powerbtn", deadline, &why);
	if (asked && listener_wait(crosvm->socket, crosvm->process, deadline))
		return STATUS_OK;
	return cut_off(crosvm, seconds);
}

int verb_shutdown_crosvm(char **arguments)
{
	uint64_t seconds;
	if (!shutdown_seconds(arguments[2], &seconds))
		return STATUS_USAGE;
	struct crosvm crosvm;
	struct reason why;
	enum peer_status status = crosvm_find(&crosvm, arguments[0], arguments[1], &why);
	int result = STATUS_FAILED;
	if (status == PEER_GONE)
		result = shutdown_without_vm(arguments[0]);
	else if (status == PEER_OK)
		result = bring_down(&crosvm, seconds);
	else
		complain("%s: %s", arguments[0], why.text);
	if (crosvm.process >= 0)
		close(crosvm.process);
	return result;
}

/* {"BalloonStats": {"stats": …, "balloon_actual": 268435456}} */
static bool balloon_read(
	const struct crosvm *crosvm, int64_t deadline, uint64_t *bytes, struct reason *why)
{
	const char *const argv[] = {crosvm->program, "balloon_stats", crosvm->socket, NULL};
	struct output output;
	struct json answer, stats, actual;
	if (!child_run(argv, deadline, &output, why))
		return false;
	if (json_object_parse(output.text, output.n, &answer) &&
		json_member(answer, "BalloonStats", &stats) &&
		json_member(stats, "balloon_actual", &actual) && json_unsigned(actual, bytes))
		return true;
	return reason_set(why, "%s balloon_stats reports no size", crosvm->program);
}

/* It is not an error if the guest stops short of the target. */
static bool balloon_set(const struct crosvm *crosvm, uint64_t target, int64_t deadline,
	uint64_t *bytes, struct reason *why)
{
	char number[NUMBER_BYTES];
	snprintf(number, sizeof number, "%" PRIu64, target);
	const char *const argv[] = {crosvm->program, "balloon", number, crosvm->socket, NULL};
	if (!child_run(argv, deadline, NULL, why) || !balloon_read(crosvm, deadline, bytes, why))
		return false;
	int64_t changed = clock_ms();
	while (*bytes != target && clock_ms() - changed < STABLE_MS &&
		deadline_left(deadline) > 2 * POLL_MS) {
		uint64_t before = *bytes;
		sleep_ms(POLL_MS);
		if (!balloon_read(crosvm, deadline, bytes, why))
			return false;
		if (*bytes != before)
			changed = clock_ms();
	}
	return true;
}

static int resize(const struct crosvm *crosvm, uint64_t balloon_mib)
{
	uint64_t bytes = 0;
	struct reason why;
	if (!balloon_set(crosvm, balloon_mib * MIB, clock_ms() + ANSWER_MS, &bytes, &why)) {
		complain("%s: %s", crosvm->socket, why.text);
		return STATUS_FAILED;
	}
	printf("%" PRIu64 "\n", bytes / MIB);
	return STATUS_OK;
}

int verb_balloon_crosvm(char **arguments)
{
	uint64_t memory_mib, balloon_mib;
	if (!balloon_sizes_parse(arguments[1], arguments[3], &memory_mib, &balloon_mib))
		return STATUS_USAGE;
	struct crosvm crosvm;
	struct reason why;
	enum peer_status status = crosvm_find(&crosvm, arguments[0], arguments[2], &why);
	int result = STATUS_FAILED;
	if (status == PEER_OK)
		result = resize(&crosvm, balloon_mib);
	else if (status == PEER_GONE)
		no_vm("microvm-balloon MIB", arguments[0]);
	else
		complain("%s: %s", arguments[0], why.text);
	if (crosvm.process >= 0)
		close(crosvm.process);
	return result;
}
