/* SPDX-License-Identifier: MIT */
/* vm_state: whether a hypervisor's guest is running, and if not, why. */
#ifndef MVM_BACKENDS_RUNTIME_CONTROL_VM_STATE_H
#define MVM_BACKENDS_RUNTIME_CONTROL_VM_STATE_H

#include "backends/runtime/control/http.h"
#include "backends/runtime/control/qmp.h"

struct vm_state {
	enum {
		VM_RUNS,
		VM_PAUSED, /* it can be resumed */
		VM_ENDED,  /* it has shut down, but its hypervisor is still running */
		VM_BROKEN, /* it panicked, or its hypervisor cannot resume it */
		/* it is being migrated or saved, or has not started yet */
		VM_ELSEWHERE,
	} kind;
	const char *resume; /* VM_PAUSED: the command that resumes it */
	char text[256];     /* "running", "paused: io-error, no room on the host for data.img" */
};

enum qmp_status vm_state_qmp(struct qmp *qmp, int64_t deadline, struct vm_state *state);

/* Requests of an HTTP interface that read the state and resume the VM. */
struct state_requests {
	struct request get, resume;
};
extern const struct state_requests state_cloud_hypervisor, state_firecracker;
enum http_status vm_state_http(struct http *http, const struct state_requests *requests,
	int64_t deadline, struct vm_state *state);

#endif
