/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "host.h"
#include "qmp.h"

enum {
	SECONDS_MAX = 24 * 60 * 60,
	GRACE_PART = 3,        /* of the time, for the power button alone */
	QUIT_MS = 10000,       /* for the hypervisor to end once told to: it writes its disks' caches out first */
	PROCESS_END_MS = 2000, /* from the end of its monitor to the end of the process */
};

static const char power_button[] = "{\"execute\":\"system_powerdown\"}";
static const char quit[] = "{\"execute\":\"quit\"}";
#define KEY(NAME) "{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":\"qcode\",\"data\":\"" NAME "\"}}}"
static const char ctrl_alt_del[] =
	"{\"execute\":\"input-send-event\",\"arguments\":{\"events\":[" KEY("ctrl") "," KEY("alt") "," KEY("delete") "]}}";

/* Presses once, then waits until the deadline, unless the hypervisor refuses. */
static enum qmp_status ask(struct qmp *qmp, const char *command, int64_t deadline)
{
	enum qmp_status status = qmp_command(qmp, command, deadline, NULL);
	return status == QMP_OK ? qmp_wait_end(qmp, deadline) : status;
}

static enum qmp_status ask_guest(struct qmp *qmp, int64_t deadline)
{
	int64_t grace = clock_ms() + deadline_left(deadline) / GRACE_PART;
	enum qmp_status status = ask(qmp, power_button, grace);
	if (status == QMP_TIMEOUT || status == QMP_REFUSED)
		status = ask(qmp, ctrl_alt_del, deadline);
	/* Refused keys do not stop a guest that is going down already. */
	if (status == QMP_REFUSED)
		status = qmp_wait_end(qmp, deadline);
	return status;
}

static void report_reason(const char *path, const char *reason)
{
	static const char *const expected[] = {"", "guest-shutdown", "guest-reset", "host-qmp-quit"};
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		if (!strcmp(reason, expected[i]))
			return;
	complain("%s: the VM ended by %s", path, reason);
}

static int cut_off(struct qmp *qmp, const char *path, uint64_t seconds)
{
	/* Halted, but kept by -no-shutdown: nothing is lost. */
	bool was_down = qmp->guest_down;
	switch (ask(qmp, quit, clock_ms() + QUIT_MS)) {
	case QMP_GONE:
		if (was_down)
			return STATUS_OK;
		complain("%s: the guest did not go down within %" PRIu64 " s: cut off", path, seconds);
		return STATUS_CUT_OFF;
	case QMP_REFUSED:
	case QMP_BROKEN:
		complain("%s: quit: %s", path, qmp->problem);
		return STATUS_FAILED;
	default:
		complain("%s: the hypervisor did not end within %d s of being told to quit: kill it", path, QUIT_MS / 1000);
		return STATUS_FAILED;
	}
}

static int bring_down(struct qmp *qmp, const char *path, uint64_t seconds)
{
	int64_t deadline = clock_ms() + (int64_t)seconds * 1000;
	enum qmp_status status = qmp_open(qmp, path, deadline);
	if (status == QMP_TIMEOUT) {
		complain("%s: gave up after %" PRIu64 " s: %s", path, seconds, qmp->problem);
		return STATUS_FAILED;
	}
	if (status == QMP_OK)
		status = ask_guest(qmp, deadline);
	if (status == QMP_TIMEOUT) {
		int result = cut_off(qmp, path, seconds);
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
	uint64_t seconds;
	if (!number_parse(arguments[1], 1, SECONDS_MAX, &seconds)) {
		complain("shutdown: SECONDS is a number of 1 to %d, not '%s'", SECONDS_MAX, arguments[1]);
		return STATUS_USAGE;
	}
	struct qmp qmp;
	int result = bring_down(&qmp, arguments[0], seconds);
	qmp_close(&qmp);
	return result;
}
