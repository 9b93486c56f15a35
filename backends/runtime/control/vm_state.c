/* SPDX-License-Identifier: MIT */
#include "backends/runtime/control/vm_state.h"

#include <stdio.h>
#include <string.h>

#include "backends/runtime/base/runtime.h"

enum { LIMIT_MS = 2000 };

/*
 * ---- QMP: RunState in QEMU's qapi/run-state.json, of which StratoVirt has running, paused,
 * shutdown and others ----
 */

static const struct {
	const char *name;
	int kind;
	const char *resume;
} run_states[] = {
	{"running", VM_RUNS, NULL},
	{"paused", VM_PAUSED, "{\"execute\":\"cont\"}"},
	{"io-error", VM_PAUSED, "{\"execute\":\"cont\"}"},
	{"watchdog", VM_PAUSED, "{\"execute\":\"cont\"}"},
	{"suspended", VM_PAUSED, "{\"execute\":\"system_wakeup\"}"},
	{"shutdown", VM_ENDED, NULL},
	/* QEMU refuses `cont`: runstate_needs_reset(). */
	{"internal-error", VM_BROKEN, NULL},
	{"guest-panicked", VM_BROKEN, NULL},
};

/*
 * Appends the disk whose error paused the VM, according to `query-block`: the first one whose
 * io-status is not "ok".
 */
static void add_disk(struct json blocks, struct vm_state *state)
{
	struct json block, status, inserted, file;
	char name[128];
	for (size_t at = 0; json_next(blocks, &at, &block);) {
		if (!json_member(block, "io-status", &status) || json_is_string(status, "ok"))
			continue;
		if (!json_member(block, "inserted", &inserted) ||
			!json_member(inserted, "file", &file) ||
			!json_string_copy(file, name, sizeof name))
			continue;
		size_t used = strlen(state->text);
		snprintf(state->text + used, sizeof state->text - used,
			json_is_string(status, "nospace") ? ", no room on the host for %s"
							  : ", %s failed",
			name);
		return;
	}
}

enum qmp_status vm_state_qmp(struct qmp *qmp, int64_t deadline, struct vm_state *state)
{
	struct json result, member;
	char name[32];
	enum qmp_status status =
		qmp_command(qmp, "{\"execute\":\"query-status\"}", deadline, &result);
	if (status != QMP_OK)
		return status;
	if (!json_member(result, "status", &member) ||
		!json_string_copy(member, name, sizeof name)) {
		snprintf(qmp->problem, sizeof qmp->problem, "query-status reports no status");
		return QMP_BROKEN;
	}
	*state = (struct vm_state){.kind = VM_ELSEWHERE};
	for (size_t i = 0; i < sizeof run_states / sizeof *run_states; i++)
		if (strcmp(run_states[i].name, name) == 0) {
			state->kind = run_states[i].kind;
			state->resume = run_states[i].resume;
		}
	snprintf(state->text, sizeof state->text,
		state->kind == VM_RUNS                ? "running"
			: strcmp(name, "paused") == 0 ? "paused"
						      : "paused: %s",
		name);
	if (strcmp(name, "io-error") != 0)
		return QMP_OK;
	status = qmp_command(qmp, "{\"execute\":\"query-block\"}", deadline, &result);
	if (status == QMP_OK)
		add_disk(result, state);
	return status == QMP_REFUSED ? QMP_OK : status;
}

/* ---- HTTP ---- */

/*
 * vmm/src/api/openapi/cloud-hypervisor.yaml: VmInfo.state is Created, Running, Shutdown or Paused.
 * The guest itself deals with a failing disk.
 */
const struct state_requests state_cloud_hypervisor = {
	{"GET", "/api/v1/vm.info", NULL}, {"PUT", "/api/v1/vm.resume", NULL}};
/*
 * src/firecracker/swagger/firecracker.yaml: InstanceInfo.state is "Not started", "Running" or
 * "Paused".
 */
const struct state_requests state_firecracker = {
	{"GET", "/", NULL}, {"PATCH", "/vm", "{\"state\":\"Resumed\"}"}};

enum http_status vm_state_http(struct http *http, const struct state_requests *requests,
	int64_t deadline, struct vm_state *state)
{
	struct json body, member;
	char name[32];
	enum http_status status = http_request(http, &requests->get, deadline, &body);
	if (status != HTTP_OK)
		return status;
	if (!json_member(body, "state", &member) || !json_string_copy(member, name, sizeof name)) {
		reason_set(&http->problem, "it reports no state");
		return HTTP_BROKEN;
	}
	bool paused = strcmp(name, "Paused") == 0, runs = strcmp(name, "Running") == 0;
	*state = (struct vm_state){.kind = paused ? VM_PAUSED : runs ? VM_RUNS : VM_ELSEWHERE};
	snprintf(state->text, sizeof state->text,
		paused         ? "paused"
			: runs ? "running"
			       : "not running: %s",
		name);
	return HTTP_OK;
}

/*
 * ---- verbs, with a short limit: their callers must not wait for a hypervisor that hangs or serves
 * another client ----
 */

static int print_state(const char *text)
{
	printf("%s\n", text);
	return STATUS_OK;
}

int verb_state_qmp(char **arguments)
{
	int64_t deadline = clock_ms() + LIMIT_MS;
	struct vm_state state;
	struct qmp qmp;
	enum qmp_status status = qmp_open(&qmp, arguments[0], deadline);
	if (status == QMP_OK)
		status = vm_state_qmp(&qmp, deadline, &state);
	if (status != QMP_OK && status != QMP_GONE)
		complain("%s: %s", arguments[0], *qmp.problem ? qmp.problem : "no answer");
	qmp_close(&qmp);
	return status == QMP_OK      ? print_state(state.text)
		: status == QMP_GONE ? print_state("stopped")
				     : STATUS_FAILED;
}

static int verb_state_http(const struct state_requests *requests, char **arguments)
{
	struct vm_state state;
	struct http http;
	if (!http_open(&http, arguments[0]))
		return STATUS_FAILED;
	enum http_status status = vm_state_http(&http, requests, clock_ms() + LIMIT_MS, &state);
	if (status == HTTP_TIMEOUT)
		complain("%s: no answer", arguments[0]);
	else if (status != HTTP_OK && status != HTTP_GONE)
		complain("%s: %s", arguments[0], http.problem.text);
	http_close(&http);
	return status == HTTP_OK      ? print_state(state.text)
		: status == HTTP_GONE ? print_state("stopped")
				      : STATUS_FAILED;
}

int verb_state_ch(char **arguments)
{
	return verb_state_http(&state_cloud_hypervisor, arguments);
}

int verb_state_fc(char **arguments)
{
	return verb_state_http(&state_firecracker, arguments);
}
