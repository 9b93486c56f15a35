/* SPDX-License-Identifier: MIT */
/* vm_state: whether the guest of a hypervisor runs, and if it does not, why. */
#ifndef MVM_BACKENDS_RUNTIME_CONTROL_VM_STATE_H
#define MVM_BACKENDS_RUNTIME_CONTROL_VM_STATE_H

#include "backends/runtime/control/http.h"
#include "backends/runtime/control/qmp.h"

struct vm_state {
	enum {
		VM_RUNS,
		VM_PAUSED, /* it goes on when it is told to */
		VM_ENDED,  /* it went down, and its hypervisor stayed */
		VM_BROKEN, /* it panicked, or its hypervisor cannot go on with it */
		/* it is on its way to or from another host, or to a file, or did not begin yet */
		VM_ELSEWHERE,
	} kind;
	const char *resume; /* VM_PAUSED: the command for that */
	char text[256];     /* "running", "paused: io-error, no room on the host for data.img" */
};

enum qmp_status vm_state_qmp(struct qmp *qmp, int64_t deadline, struct vm_state *state);

/* Of an HTTP interface: where the state is told, and how to go on. */
struct state_requests {
	struct request get, resume;
};
extern const struct state_requests state_cloud_hypervisor, state_firecracker;
enum http_status vm_state_http(struct http *http, const struct state_requests *requests,
	int64_t deadline, struct vm_state *state);

#endif
