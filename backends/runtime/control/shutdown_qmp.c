/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "backends/runtime/base/runtime.h"
#include "backends/runtime/control/qmp.h"
#include "backends/runtime/control/vm_state.h"
#include "backends/runtime/shares/notify.h"

enum {
	GRACE_PART = 3,  /* fraction of the time for the power button alone */
	PAUSE_MS = 1000, /* interval of checks whether the VM was paused and must be resumed */
	/* for the hypervisor to exit after the request: it first writes its disks' caches out */
	QUIT_MS = 10000,
	PROCESS_END_MS = 2000, /* from the end of its monitor to the exit of the process */
};

static const char power_button[] = "{\"execute\":\"system_powerdown\"}";
static const char quit[] = "{\"execute\":\"quit\"}";
#define KEY(NAME) \
	"{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":\"qcode\",\"data\":\"" NAME \
	"\"}}}"
static const char ctrl_alt_del[] =
	"{\"execute\":\"input-send-event\",\"arguments\":{\"events\":[" KEY("ctrl") "," KEY(
		"alt") "," KEY("delete") "]}}";

/* A VM that is being shut down. */
struct descent {
	struct qmp *qmp;
	const char *path;
	uint64_t seconds;
	struct vm_state state; /* as far as known */
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * A paused guest does not react until it is resumed. A message is only printed if the state has
 * changed.
 */
static enum qmp_status go_on(struct descent *descent, int64_t deadline)
{
	struct vm_state before = descent->state;
	enum qmp_status status = vm_state_qmp(descent->qmp, deadline, &descent->state);
	if (status != QMP_OK || descent->state.kind != VM_PAUSED)
		return status;
	if (strcmp(before.text, descent->state.text) != 0)
		complain("%s: the VM is %s; resuming it", descent->path, descent->state.text);
	descent->qmp->stopped = false;
	status = qmp_command(descent->qmp, descent->state.resume, deadline, NULL);
	/* The VM may have ended meanwhile. */
	return status == QMP_REFUSED ? QMP_OK : status;
}

static bool can_be_asked(const struct descent *descent)
{
	return descent->state.kind != VM_ENDED && descent->state.kind != VM_BROKEN;
}

/*
 * Presses the button, then waits until the deadline, unless the hypervisor refuses. If the VM is
 * paused meanwhile, as by a disk that is still full, it is resumed as soon as possible, and the
 * guest, which has not noticed the button, is asked again.
 */
static enum qmp_status ask(struct descent *descent, const char *command, int64_t deadline)
{
	struct qmp *qmp = descent->qmp;
	bool press = true, was_paused = false;
	for (;;) {
		enum qmp_status status = press ? qmp_command(qmp, command, deadline, NULL) : QMP_OK;
		press = false;
		if (status == QMP_OK)
			status = qmp_wait_end(qmp, earlier(deadline, clock_ms() + PAUSE_MS));
		if (status != QMP_TIMEOUT || !deadline_left(deadline))
			return status;
		/* The hypervisor also stops a guest that has shut down. */
		if (*qmp->reason)
			continue;
		press = was_paused && !qmp->stopped;
		was_paused = qmp->stopped;
		if (was_paused)
			status = go_on(descent, deadline);
		if (status != QMP_TIMEOUT && status != QMP_OK)
			return status;
		if (!can_be_asked(descent))
			return QMP_TIMEOUT;
	}
}

static enum qmp_status ask_guest(struct descent *descent, int64_t deadline)
{
	int64_t grace = clock_ms() + deadline_left(deadline) / GRACE_PART;
	enum qmp_status status = ask(descent, power_button, grace);
	if (status == QMP_TIMEOUT || status == QMP_REFUSED)
		status = ask(descent, ctrl_alt_del, deadline);
	/* Refused keys do not stop a guest that is already shutting down. */
	if (status == QMP_REFUSED)
		status = qmp_wait_end(descent->qmp, deadline);
	return status;
}

static void report_reason(const char *path, const char *reason)
{
	static const char *const expected[] = {
		"", "guest-shutdown", "guest-reset", "host-qmp-quit"};
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		if (!strcmp(reason, expected[i]))
			return;
	complain("%s: the VM ended by %s", path, reason);
}

static void complain_cut_off(const struct descent *descent)
{
	if (descent->state.kind == VM_BROKEN)
		complain("%s: the VM is %s; it was cut off", descent->path, descent->state.text);
	else if (descent->state.kind == VM_PAUSED && descent->qmp->stopped)
		complain("%s: the VM is still %s, and the guest did not shut down within %" PRIu64
			 " s; it was cut off",
			descent->path, descent->state.text, descent->seconds);
	else
		complain("%s: the guest did not shut down within %" PRIu64 " s; it was cut off",
			descent->path, descent->seconds);
}

static int cut_off(struct descent *descent)
{
	struct qmp *qmp = descent->qmp;
	/* Halted, but kept by -no-shutdown, so nothing is lost. */
	bool was_down = qmp->guest_down || descent->state.kind == VM_ENDED;
	enum qmp_status status = qmp_command(qmp, quit, clock_ms() + QUIT_MS, NULL);
	if (status == QMP_OK)
		status = qmp_wait_end(qmp, clock_ms() + QUIT_MS);
	switch (status) {
	case QMP_GONE:
		if (was_down)
			return STATUS_OK;
		complain_cut_off(descent);
		return STATUS_CUT_OFF;
	case QMP_REFUSED:
	case QMP_BROKEN:
		complain("%s: quit: %s", descent->path, qmp->problem);
		return STATUS_FAILED;
	default:
		complain("%s: the hypervisor did not exit within %d s of the request to quit; kill "
			 "it",
			descent->path, QUIT_MS / 1000);
		return STATUS_FAILED;
	}
}

static int bring_down(struct descent *descent)
{
	struct qmp *qmp = descent->qmp;
	const char *path = descent->path;
	int64_t deadline = clock_ms() + (int64_t)descent->seconds * 1000;
	enum qmp_status status = qmp_open(qmp, path, deadline);
	if (status == QMP_GONE && qmp->peer.fd < 0)
		return shutdown_without_vm(path);
	if (status == QMP_TIMEOUT) {
		complain("%s: gave up after %" PRIu64 " s: %s", path, descent->seconds,
			qmp->problem);
		return STATUS_FAILED;
	}
	if (status == QMP_OK)
		status = go_on(descent, deadline);
	if (status == QMP_OK || status == QMP_REFUSED)
		status = can_be_asked(descent) ? ask_guest(descent, deadline) : QMP_TIMEOUT;
	if (status == QMP_TIMEOUT) {
		int result = cut_off(descent);
		if (result != STATUS_FAILED)
			qmp_wait_process(qmp, clock_ms() + PROCESS_END_MS);
		return result;
	}
	if (status != QMP_GONE) {
		complain("%s: %s", path, qmp->problem);
		return STATUS_FAILED;
	}
	qmp_wait_process(qmp, clock_ms() + PROCESS_END_MS);
	report_reason(path, qmp->reason);
	return STATUS_OK;
}

int verb_shutdown_qmp(char **arguments)
{
	struct qmp qmp;
	struct descent descent = {.qmp = &qmp, .path = arguments[0]};
	if (!shutdown_seconds(arguments[1], &descent.seconds))
		return STATUS_USAGE;
	int result = bring_down(&descent);
	qmp_close(&qmp);
	return result;
}
