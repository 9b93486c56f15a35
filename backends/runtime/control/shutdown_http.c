/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backends/runtime/base/peer.h"
#include "backends/runtime/base/runtime.h"
#include "backends/runtime/control/http.h"
#include "backends/runtime/control/vm_state.h"
#include "backends/runtime/shares/notify.h"

enum {
	/* fraction of the time before the guest is asked again: it may not have listened yet */
	GRACE_PART = 3,
	/* for a guest that is already shutting down, if the hypervisor refuses to ask it */
	REFUSED_MS = 2000,
	ANSWER_MS = 10000, /* for any single answer */
	END_MS = 10000,    /* for the process to exit after the request */
	POLL_MS = 100,
};

/* How a hypervisor asks its guest to shut down, and how it is terminated itself. */
struct manner {
	/* quit.method NULL: it has no such request and is terminated by SIGTERM */
	struct request ask, quit;
	const struct state_requests *state;
};

static const struct manner cloud_hypervisor = {
	.ask = {"PUT", "/api/v1/vm.power-button", NULL},
	.quit = {"PUT", "/api/v1/vmm.shutdown", NULL},
	.state = &state_cloud_hypervisor,
};

/* The guest reboots, upon which Firecracker exits. */
static const struct manner firecracker = {
	.ask = {"PUT", "/actions", "{\"action_type\":\"SendCtrlAltDel\"}"},
	.state = &state_firecracker};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * The interface closes before the process exits (Cloud Hypervisor still writes caches out), so the
 * process decides.
 */
static bool vm_wait(struct http *http, int64_t deadline)
{
	static const struct request any = {"GET", "/", NULL};
	if (http->process >= 0)
		return process_wait(http->process, deadline);
	while (deadline_left(deadline)) {
		if (http_request(http, &any, earlier(deadline, clock_ms() + ANSWER_MS), NULL) ==
			HTTP_GONE)
			return true;
		sleep_ms(POLL_MS);
	}
	return false;
}

static enum http_status ask(struct http *http, const struct manner *manner, int64_t deadline)
{
	return http_request(http, &manner->ask, earlier(deadline, clock_ms() + ANSWER_MS), NULL);
}

static bool quit(struct http *http, const struct manner *manner)
{
	if (manner->quit.method) {
		enum http_status status =
			http_request(http, &manner->quit, clock_ms() + ANSWER_MS, NULL);
		if (status == HTTP_TIMEOUT)
			reason_set(&http->problem, "no answer");
		return status == HTTP_OK || status == HTTP_GONE;
	}
	if (http->process < 0)
		return reason_set(&http->problem, "its process is unknown");
	if (syscall(SYS_pidfd_send_signal, http->process, SIGTERM, NULL, 0) == 0 || errno == ESRCH)
		return true;
	return reason_set(&http->problem, "%s", strerror(errno));
}

static int cut_off(struct http *http, const struct manner *manner, const char *why)
{
	if (!quit(http, manner)) {
		complain("%s: %s, and the hypervisor cannot be terminated: %s; kill it", http->path,
			why, http->problem.text);
		return STATUS_FAILED;
	}
	if (!vm_wait(http, clock_ms() + END_MS)) {
		complain("%s: the hypervisor did not exit within %d s of the request; kill it",
			http->path, END_MS / 1000);
		return STATUS_FAILED;
	}
	complain("%s: %s; it was cut off", http->path, why);
	return STATUS_CUT_OFF;
}

/*
 * A paused guest does not react until it is resumed. If its state cannot be read, the shutdown
 * continues. Returns false if there is no VM.
 */
static bool go_on(struct http *http, const struct manner *manner, int64_t deadline)
{
	struct vm_state state;
	deadline = earlier(deadline, clock_ms() + ANSWER_MS);
	enum http_status status = vm_state_http(http, manner->state, deadline, &state);
	if (status != HTTP_OK || state.kind != VM_PAUSED)
		return status != HTTP_GONE || http->process >= 0;
	complain("%s: the VM is %s; resuming it", http->path, state.text);
	if (http_request(http, &manner->state->resume, deadline, NULL) == HTTP_REFUSED)
		complain("%s: cannot resume the VM: %s", http->path, http->problem.text);
	return true;
}

/* Asks, and asks again after a while; returns whether the VM has ended. */
static bool ask_patiently(
	struct http *http, const struct manner *manner, int64_t deadline, enum http_status *status)
{
	int64_t grace = clock_ms() + deadline_left(deadline) / GRACE_PART;
	*status = ask(http, manner, deadline);
	if (*status == HTTP_GONE)
		return vm_wait(http, deadline);
	if (*status == HTTP_REFUSED)
		return vm_wait(http, earlier(deadline, clock_ms() + REFUSED_MS));
	if (*status != HTTP_OK)
		return false;
	if (vm_wait(http, grace))
		return true;
	ask(http, manner, deadline);
	return vm_wait(http, deadline);
}

static int bring_down(struct http *http, const struct manner *manner, uint64_t seconds)
{
	enum http_status status;
	struct reason why;
	int64_t deadline = clock_ms() + (int64_t)seconds * 1000;
	if (!go_on(http, manner, deadline))
		return shutdown_without_vm(http->path);
	if (ask_patiently(http, manner, deadline, &status))
		return STATUS_OK;
	switch (status) {
	case HTTP_GONE:
		if (http->process < 0)
			return STATUS_OK;
		break;
	case HTTP_BROKEN:
		complain("%s: %s", http->path, http->problem.text);
		return STATUS_FAILED;
	case HTTP_REFUSED:
		reason_set(&why, "cannot ask the guest to shut down: %.200s", http->problem.text);
		return cut_off(http, manner, why.text);
	default:
		break;
	}
	reason_set(&why, "the guest did not shut down within %" PRIu64 " s", seconds);
	return cut_off(http, manner, why.text);
}

static int run(const struct manner *manner, char **arguments)
{
	uint64_t seconds;
	if (!shutdown_seconds(arguments[1], &seconds))
		return STATUS_USAGE;
	struct http http;
	int result =
		http_open(&http, arguments[0]) ? bring_down(&http, manner, seconds) : STATUS_FAILED;
	http_close(&http);
	return result;
}

int verb_shutdown_ch(char **arguments)
{
	return run(&cloud_hypervisor, arguments);
}

int verb_shutdown_fc(char **arguments)
{
	return run(&firecracker, arguments);
}
