/* SPDX-License-Identifier: MIT */
/*
 * A client of QEMU's machine protocol (docs/interop/qmp-spec in QEMU's sources): one JSON object a
 * line over a unix socket. Every wait has a deadline.
 */
#ifndef MVM_BACKENDS_RUNTIME_CONTROL_QMP_H
#define MVM_BACKENDS_RUNTIME_CONTROL_QMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/runtime/base/peer.h"
#include "backends/runtime/control/json.h"

enum qmp_status {
	QMP_OK,
	QMP_REFUSED, /* the command had an error reply; problem says which */
	QMP_TIMEOUT,
	QMP_GONE,   /* nobody listens, or the other side closed: the process ended */
	QMP_BROKEN, /* the system failed, or what came is not QMP; problem says it */
};

struct qmp {
	struct peer peer;
	char *buffer;
	size_t start, scanned, end;
	unsigned unanswered; /* commands whose reply is still to come: replies keep the order */
	bool guest_down;     /* a SHUTDOWN event came that the guest itself caused */
	bool stopped;        /* the last event of its kind was STOP, not RESUME */
	char reason[32];     /* of the SHUTDOWN event, "" before it */
	char error_class[64];
	char problem[256];
};

/*
 * Connects and negotiates. QEMU serves one client at a time and leaves others waiting for the
 * greeting: that ends as QMP_TIMEOUT.
 */
enum qmp_status qmp_open(struct qmp *qmp, const char *path, int64_t deadline);
void qmp_close(struct qmp *qmp);

/*
 * Sends a whole JSON command and waits for its reply; events in between are taken note of. result
 * (may be NULL) lives until the next call.
 */
enum qmp_status qmp_command(
	struct qmp *qmp, const char *command, int64_t deadline, struct json *result);
/* Waits for the end of the connection: QMP_GONE, or QMP_TIMEOUT, or QMP_BROKEN. */
enum qmp_status qmp_wait_end(struct qmp *qmp, int64_t deadline);
/* The monitor closes a moment before its process ends, and only then are taps and locks free. */
void qmp_wait_process(const struct qmp *qmp, int64_t deadline);

#endif
