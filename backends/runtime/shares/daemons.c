/* SPDX-License-Identifier: MIT */
#include "backends/runtime/shares/daemons.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/runtime/shares/notify.h"

enum {
	READY_MS = 30000, /* until all of them wait for their clients */
	SILENT_MS = 1000, /* a daemon that does not report is assumed to be ready after this time */
	LEAVE_MS = 2000,  /* between the first and the last disconnect of the VM */
	/* until a disconnected daemon is restarted: by then its VM has ended, or will reconnect */
	AGAIN_MS = 500,
	STOP_MS = 5000, /* to exit on request, and again when killed */
};

enum phase {
	STARTING,
	SERVING,
	LEAVING,  /* the VM disconnected from one */
	STOPPING, /* all were asked to exit */
	KILLING,
};

struct run {
	struct fleet *fleet;
	int caller;  /* receives a byte when all are ready; -1: none */
	int process; /* a pidfd of fleet->with, or -1 */
	int signals;
	enum phase phase;
	int64_t started, deadline; /* of the phase */
	bool failed;
	bool alone;    /* no child is left */
	bool given_up; /* a child is left, but does not exit */
};

static void tell(const char *message)
{
	notify_send(getenv("NOTIFY_SOCKET"), message, strlen(message));
}

static void phase_set(struct run *run, enum phase phase, int64_t deadline)
{
	run->phase = phase;
	run->deadline = deadline;
}

/* Sockets are released first, because a new start of the VM creates its own at once. */
static void release_all(struct run *run)
{
	for (size_t i = 0; i < run->fleet->n; i++)
		unix_release(&run->fleet->daemons[i].claim);
}

static void signal_all(const struct run *run, int number)
{
	for (size_t i = 0; i < run->fleet->n; i++)
		daemon_signal(&run->fleet->daemons[i], number);
}

static void stop(struct run *run)
{
	if (run->phase >= STOPPING)
		return;
	tell("STOPPING=1\n");
	release_all(run);
	signal_all(run, SIGTERM);
	phase_set(run, STOPPING, clock_ms() + STOP_MS);
}

static void fail(struct run *run, struct daemon *daemon, const char *text)
{
	daemon_hear(daemon, false);
	daemon_print(daemon);
	complain("the share %s: %s", daemon->share, text);
	run->failed = true;
}

static void describe_end(const struct daemon *daemon, struct reason *end)
{
	const char *when = daemon->ready ? "" : " before it was ready";
	if (WIFSIGNALED(daemon->status))
		reason_set(
			end, "virtiofsd was killed by signal %d%s", WTERMSIG(daemon->status), when);
	else
		reason_set(end, "virtiofsd exited with status %d%s", WEXITSTATUS(daemon->status),
			when);
}

/* ---- starting ---- */

static bool claim_all(struct run *run)
{
	const struct fleet *fleet = run->fleet;
	for (size_t i = 0; i < fleet->n; i++) {
		struct daemon *daemon = &fleet->daemons[i];
		struct reason why;
		if (!unix_claim(daemon->socket, fleet->group, fleet->group_needed, &daemon->claim,
			    &why)) {
			complain("the share %s: the socket %s: %s", daemon->share, daemon->socket,
				why.text);
			return false;
		}
	}
	return true;
}

static bool start_one(struct run *run, struct daemon *daemon)
{
	struct reason why;
	daemon->ready = false;
	if (daemon_start(daemon, &why))
		return true;
	fail(run, daemon, why.text);
	return false;
}

/* Starts all of them, or restarts those that have exited. */
static void start_all(struct run *run)
{
	run->started = clock_ms();
	phase_set(run, STARTING, run->started + READY_MS);
	for (size_t i = 0; i < run->fleet->n && run->phase == STARTING; i++)
		if (!run->fleet->daemons[i].running && !start_one(run, &run->fleet->daemons[i]))
			stop(run);
}

static bool all_ready(const struct run *run)
{
	const struct fleet *fleet = run->fleet;
	bool long_enough = clock_ms() >= run->started + SILENT_MS, ready = true;
	for (size_t i = 0; i < fleet->n; i++) {
		fleet->daemons[i].ready |= fleet->daemons[i].silent && long_enough;
		ready &= fleet->daemons[i].ready;
	}
	return ready;
}

static void announce(struct run *run)
{
	char status[100];
	snprintf(status, sizeof status, "READY=1\nSTATUS=%zu share%s served\n", run->fleet->n,
		run->fleet->n == 1 ? " is" : "s are");
	tell(status);
	if (run->caller >= 0) {
		if (write(run->caller, "r", 1) != 1)
			complain("cannot notify the caller that the shares are served");
		close(run->caller);
		run->caller = -1;
	}
	phase_set(run, SERVING, INT64_MAX);
}

static void give_up_waiting(struct run *run)
{
	for (size_t i = 0; i < run->fleet->n; i++)
		if (!run->fleet->daemons[i].ready)
			fail(run, &run->fleet->daemons[i], "virtiofsd did not become ready");
	stop(run);
}

/* ---- ends ---- */

static struct daemon *daemon_of(const struct run *run, pid_t process)
{
	for (size_t i = 0; i < run->fleet->n; i++)
		if (run->fleet->daemons[i].running && run->fleet->daemons[i].process == process)
			return &run->fleet->daemons[i];
	return NULL;
}

static void vm_left(struct run *run)
{
	if (run->phase == LEAVING)
		return;
	phase_set(run, LEAVING, clock_ms() + (run->fleet->with ? AGAIN_MS : LEAVE_MS));
	if (!run->fleet->with)
		release_all(run);
}

static void daemon_ended(struct run *run, struct daemon *daemon, int status)
{
	daemon->running = false;
	daemon->status = status;
	daemon_hear(daemon, !run->fleet->with);
	if (run->phase >= STOPPING)
		return;
	struct reason end;
	if (daemon->ready && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		vm_left(run);
		return;
	}
	describe_end(daemon, &end);
	fail(run, daemon, end.text);
	stop(run);
}

/* Includes the daemons' helpers: this process is the parent of orphans. */
static void reap(struct run *run)
{
	int status;
	pid_t process;
	while ((process = waitpid(-1, &status, WNOHANG)) > 0) {
		struct daemon *daemon = daemon_of(run, process);
		if (daemon)
			daemon_ended(run, daemon, status);
	}
	run->alone = process < 0 && errno == ECHILD;
}

static void deadline_over(struct run *run)
{
	switch (run->phase) {
	case STARTING:
		give_up_waiting(run);
		break;
	case LEAVING:
		/*
		 * The VM disconnected but is still running, as Cloud Hypervisor's does when its
		 * guest reboots. A client that has reconnected waits in the socket's queue.
		 */
		if (run->fleet->with)
			start_all(run);
		else
			stop(run);
		break;
	case STOPPING:
		signal_all(run, SIGKILL);
		phase_set(run, KILLING, clock_ms() + STOP_MS);
		break;
	case KILLING:
		complain("processes of virtiofsd did not exit");
		run->failed = run->given_up = true;
		break;
	case SERVING:
		break;
	}
}

/* ---- the loop ---- */

static void read_signals(struct run *run)
{
	struct signalfd_siginfo info;
	while (read(run->signals, &info, sizeof info) == sizeof info)
		if (info.ssi_signo != SIGCHLD) /* the loop reaps */
			stop(run);
}

static int timeout_of(const struct run *run)
{
	int64_t silent = run->started + SILENT_MS, now = clock_ms();
	bool sooner = run->phase == STARTING && now < silent && silent < run->deadline;
	return run->phase == SERVING ? -1 : deadline_left(sooner ? silent : run->deadline);
}

static void wait_for_news(struct run *run, struct pollfd *entries)
{
	const struct fleet *fleet = run->fleet;
	entries[0] = (struct pollfd){.fd = run->signals, .events = POLLIN};
	entries[1] =
		(struct pollfd){.fd = run->phase < STOPPING ? run->process : -1, .events = POLLIN};
	for (size_t i = 0; i < fleet->n; i++)
		entries[2 + i] = (struct pollfd){.fd = fleet->daemons[i].output, .events = POLLIN};
	if (poll(entries, 2 + fleet->n, timeout_of(run)) <= 0)
		return;
	for (size_t i = 0; i < fleet->n; i++)
		if (entries[2 + i].revents)
			daemon_hear(&fleet->daemons[i], !fleet->with);
	if (entries[1].revents)
		stop(run);
	if (entries[0].revents)
		read_signals(run);
}

static bool is_over(const struct run *run)
{
	/* No daemon may be left before they are restarted. */
	bool between = run->phase == LEAVING && run->fleet->with;
	return run->given_up || (run->alone && !between);
}

static void serve(struct run *run, struct pollfd *entries)
{
	start_all(run);
	for (reap(run); !is_over(run); reap(run)) {
		if (run->phase == STARTING && all_ready(run))
			announce(run);
		if (clock_ms() >= run->deadline)
			deadline_over(run);
		if (!run->alone || run->phase < STOPPING)
			wait_for_news(run, entries);
	}
}

static int run_here(struct run *run)
{
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	run->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	struct pollfd *entries = memory(calloc(2 + run->fleet->n, sizeof *entries));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	run->failed = run->signals < 0 || !claim_all(run);
	if (!run->failed)
		serve(run, entries);
	release_all(run);
	free(entries);
	return run->failed ? STATUS_FAILED : STATUS_OK;
}

/*
 * The caller continues once the shares are served. The background process has no terminal, and
 * systemd does not get its messages.
 */
static int run_behind(struct run *run)
{
	int ends[2];
	char ready;
	run->process = (int)syscall(SYS_pidfd_open, run->fleet->with, 0);
	if (run->process < 0 || pipe2(ends, O_CLOEXEC) < 0) {
		complain("the process %d: %s", (int)run->fleet->with, strerror(errno));
		return STATUS_FAILED;
	}
	pid_t child = fork();
	if (child != 0) {
		close(ends[1]);
		bool ok = child > 0 && read(ends[0], &ready, 1) == 1;
		if (child < 0)
			complain("fork: %s", strerror(errno));
		return ok ? STATUS_OK : STATUS_FAILED;
	}
	close(ends[0]);
	run->caller = ends[1];
	setsid();
	unsetenv("NOTIFY_SOCKET");
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (nothing >= 0)
		dup2(nothing, STDIN_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	return run_here(run);
}

int fleet_run(struct fleet *fleet)
{
	struct run run = {.fleet = fleet, .caller = -1, .process = -1, .signals = -1};
	return fleet->with ? run_behind(&run) : run_here(&run);
}
