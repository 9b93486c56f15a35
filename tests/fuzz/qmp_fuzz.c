/* SPDX-License-Identifier: MIT */
/* Reads arbitrary bytes as messages of QEMU's monitor. */
#include "tests/fuzz/liar.h"

#include "backends/runtime/control/qmp.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qmp qmp;
	struct json result, member;
	const int64_t deadline = clock_ms() + LIAR_PATIENCE_MS;
	if (size == 0 || size > LIAR_MOST_BYTES)
		return 0;
	liar.bytes = data;
	liar.count = size;
	if (qmp_open(&qmp, "nobody-listens.sock", deadline) == QMP_OK) {
		if (qmp_command(&qmp, "{\"execute\":\"query-balloon\"}", deadline, &result) ==
			QMP_OK)
			json_member(result, "actual", &member);
		qmp_wait_end(&qmp, deadline);
	}
	qmp_close(&qmp);
	return 0;
}
