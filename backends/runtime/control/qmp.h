/* SPDX-License-Identifier: MIT */
/*
 * qmp: a client of QEMU's machine protocol (docs/interop/qmp-spec in QEMU's sources), which sends
 * one JSON object per line over a unix socket. Every wait has a deadline.
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
	QMP_REFUSED, /* the reply to the command is an error, described by `problem` */
	QMP_TIMEOUT,
	QMP_GONE,   /* no process listens, or the connection was closed: the process exited */
	QMP_BROKEN, /* a system call failed, or the reply is not QMP; see `problem` */
};

struct qmp {
	struct peer peer;
	char *buffer;
	size_t start, scanned, end;
	/* commands without a reply so far; replies keep the order of commands */
	unsigned unanswered;
	bool guest_down; /* received a SHUTDOWN event that the guest itself caused */
	bool stopped;    /* the last of the STOP and RESUME events was STOP */
	char reason[32]; /* of the SHUTDOWN event; "" before it */
	char error_class[64];
	char problem[256];
};

/*
 * Connects and negotiates. QEMU serves one client at a time and lets others wait for the greeting,
 * which ends in QMP_TIMEOUT.
 */
enum qmp_status qmp_open(struct qmp *qmp, const char *path, int64_t deadline);
void qmp_close(struct qmp *qmp);

/*
 * Sends a complete JSON command and waits for its reply; events in between are recorded. `result`
 * (may be NULL) is valid until the next call.
 */
enum qmp_status qmp_command(
	struct qmp *qmp, const char *command, int64_t deadline, struct json *result);
/* Waits for the end of the connection; returns QMP_GONE, QMP_TIMEOUT or QMP_BROKEN. */
enum qmp_status qmp_wait_end(struct qmp *qmp, int64_t deadline);
/*
 * Waits for the process to exit. It does so a moment after its monitor has closed, and only then
 * are taps and locks free.
 */
void qmp_wait_process(const struct qmp *qmp, int64_t deadline);

#endif
