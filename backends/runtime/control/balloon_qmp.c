/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/runtime/base/runtime.h"
#include "backends/runtime/control/qmp.h"

enum {
	LIMIT_MS = 10000,
	POLL_MS = 100,
	STABLE_MS = 2000, /* without a change; a guest under load takes a second to react */
};
#define MIB UINT64_C(1048576)

static enum qmp_status memory_read(struct qmp *qmp, int64_t deadline, uint64_t *bytes)
{
	struct json result, actual;
	enum qmp_status status =
		qmp_command(qmp, "{\"execute\":\"query-balloon\"}", deadline, &result);
	if (status != QMP_OK)
		return status;
	if (json_member(result, "actual", &actual) && json_unsigned(actual, bytes))
		return QMP_OK;
	snprintf(qmp->problem, sizeof qmp->problem, "query-balloon reports no size");
	return QMP_BROKEN;
}

/*
 * QMP counts the memory that the guest keeps, not the balloon's. It is not an error if the guest
 * stops short of the target.
 */
static enum qmp_status memory_set(
	struct qmp *qmp, uint64_t target, int64_t deadline, uint64_t *bytes)
{
	char command[96];
	snprintf(command, sizeof command,
		"{\"execute\":\"balloon\",\"arguments\":{\"value\":%" PRIu64 "}}", target);
	enum qmp_status status = qmp_command(qmp, command, deadline, NULL);
	if (status == QMP_OK)
		status = memory_read(qmp, deadline, bytes);
	int64_t changed = clock_ms();
	while (status == QMP_OK && *bytes != target && clock_ms() - changed < STABLE_MS &&
		deadline_left(deadline) > POLL_MS) {
		uint64_t before = *bytes;
		sleep_ms(POLL_MS);
		status = memory_read(qmp, deadline, bytes);
		if (*bytes != before)
			changed = clock_ms();
	}
	return status;
}

static int report(const struct qmp *qmp, const char *path, enum qmp_status status)
{
	if (status == QMP_GONE)
		no_vm("microvm-balloon MIB", path);
	else if (status == QMP_REFUSED && !strcmp(qmp->error_class, "DeviceNotActive"))
		complain("%s: the VM has no balloon device", path);
	else if (status == QMP_TIMEOUT)
		complain("%s: gave up after %d s: %s", path, LIMIT_MS / 1000,
			*qmp->problem ? qmp->problem : "the hypervisor hangs");
	else
		complain("%s: %s", path, qmp->problem);
	return STATUS_FAILED;
}

static int resize(struct qmp *qmp, const char *path, uint64_t memory_mib, uint64_t balloon_mib)
{
	int64_t deadline = clock_ms() + LIMIT_MS;
	uint64_t bytes = 0;
	enum qmp_status status = qmp_open(qmp, path, deadline);
	if (status == QMP_OK)
		status = memory_set(qmp, (memory_mib - balloon_mib) * MIB, deadline, &bytes);
	if (status != QMP_OK)
		return report(qmp, path, status);
	if (bytes > memory_mib * MIB) {
		complain("%s: the VM has %" PRIu64 " MiB of memory, not %" PRIu64, path,
			bytes / MIB, memory_mib);
		return STATUS_FAILED;
	}
	printf("%" PRIu64 "\n", (memory_mib * MIB - bytes) / MIB);
	return STATUS_OK;
}

int verb_balloon_qmp(char **arguments)
{
	uint64_t memory_mib, balloon_mib;
	if (!balloon_sizes_parse(arguments[1], arguments[2], &memory_mib, &balloon_mib))
		return STATUS_USAGE;
	struct qmp qmp;
	int result = resize(&qmp, arguments[0], memory_mib, balloon_mib);
	qmp_close(&qmp);
	return result;
}
