/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "child.h"
#include "host.h"
#include "peer.h"

/*
 * kvmtool has neither a power button nor a balloon of a given size. A guest is stopped by SysRq keys on its serial console: write the disks out,
 * mount them read-only, reset. The first always works; the others where the guest's kernel.sysrq allows them. The balloon only grows and
 * shrinks, so its size is remembered for as long as the process lives.
 */
enum {
	SECONDS_MAX = 24 * 60 * 60,
	ANSWER_MS = 10000, /* for any single answer */
	WRITE_MS = 2000,   /* for the guest to write its disks out, and to mount them read-only: it does not say when it has */
	END_MS = 10000,    /* for the process to end once told to */
	PATH_BYTES = 256,
	NUMBER_BYTES = 24,
};
#define MEMORY_MAX_MIB (UINT64_C(1) << 32)

struct lkvm {
	const char *program, *name;
	int process;                                  /* a pidfd, -1 when the kernel does not tell */
	char socket[PATH_BYTES], input[PATH_BYTES], balloon[PATH_BYTES]; /* files below .lkvm */
};

/* lkvm looks for the socket below $HOME, which was the state directory when the VM was started. */
static bool home_set(struct reason *why)
{
	char *directory = getcwd(NULL, 0);
	bool ok = directory && setenv("HOME", directory, 1) == 0;
	free(directory);
	return ok || reason_set(why, "the current directory: %s", strerror(errno));
}

static enum peer_status lkvm_find(struct lkvm *lkvm, const char *name, const char *program, struct reason *why)
{
	*lkvm = (struct lkvm){.program = program, .name = name, .process = -1};
	snprintf(lkvm->socket, sizeof lkvm->socket, ".lkvm/%s.sock", name);
	snprintf(lkvm->input, sizeof lkvm->input, ".lkvm/%s.input", name);
	snprintf(lkvm->balloon, sizeof lkvm->balloon, ".lkvm/%s.balloon", name);
	if (!home_set(why))
		return PEER_BROKEN;
	struct peer peer;
	enum peer_status status = peer_open(&peer, lkvm->socket, clock_ms() + ANSWER_MS, why);
	lkvm->process = peer.process;
	peer.process = -1;
	peer_close(&peer);
	if (status == PEER_TIMEOUT)
		reason_set(why, "the hypervisor hangs");
	return status;
}

static int report(const struct lkvm *lkvm, const char *problem)
{
	complain("%s: %s", lkvm->name, problem);
	return STATUS_FAILED;
}

static bool tell(const struct lkvm *lkvm, const char *command, const char *option, const char *value, struct reason *why)
{
	const char *const argv[] = {lkvm->program, command, "-n", lkvm->name, option, value, NULL};
	return child_run(argv, clock_ms() + ANSWER_MS, NULL, why);
}

/* ---- shutdown ---- */

/* kvmtool looks for a key that waits when there is something to read. The line break itself reaches the console after it. */
static void wake(const struct lkvm *lkvm)
{
	int fd = open(lkvm->input, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t ignored = write(fd, "\n", 1);
	(void)ignored;
	close(fd);
}

/* True when the VM went. */
static bool press(const struct lkvm *lkvm, const char *key, int64_t wait_ms)
{
	struct reason why;
	if (!tell(lkvm, "debug", "-s", key, &why))
		complain("%s: %s", lkvm->name, why.text);
	wake(lkvm);
	return listener_wait(lkvm->socket, lkvm->process, clock_ms() + wait_ms);
}

static int cut_off(const struct lkvm *lkvm)
{
	struct reason why;
	if (!tell(lkvm, "stop", NULL, NULL, &why))
		return report(lkvm, why.text);
	if (!listener_wait(lkvm->socket, lkvm->process, clock_ms() + END_MS)) {
		complain("%s: lkvm did not end within %d s of being told to: kill it", lkvm->name, END_MS / 1000);
		return STATUS_FAILED;
	}
	complain("%s: the guest was not reset by its SysRq keys: cut off", lkvm->name);
	return STATUS_CUT_OFF;
}

static int bring_down(const struct lkvm *lkvm, uint64_t seconds)
{
	int64_t total = (int64_t)seconds * 1000, wait = total / 3 < WRITE_MS ? total / 3 : WRITE_MS;
	if (press(lkvm, "s", wait) || press(lkvm, "u", wait) || press(lkvm, "b", total - 2 * wait))
		return STATUS_OK;
	return cut_off(lkvm);
}

int verb_shutdown_lkvm(char **arguments)
{
	uint64_t seconds;
	if (!number_parse(arguments[1], 1, SECONDS_MAX, &seconds)) {
		complain("shutdown: SECONDS is a number of 1 to %d, not '%s'", SECONDS_MAX, arguments[1]);
		return STATUS_USAGE;
	}
	struct lkvm lkvm;
	struct reason why;
	enum peer_status status = lkvm_find(&lkvm, arguments[0], arguments[2], &why);
	int result = status == PEER_GONE ? STATUS_OK : status == PEER_OK ? bring_down(&lkvm, seconds) : report(&lkvm, why.text);
	if (lkvm.process >= 0)
		close(lkvm.process);
	return result;
}

/* ---- balloon ---- */

/* When the process started, in clock ticks since the host's boot: with its number, who it is. */
static bool identity(int process, uint64_t *pid, uint64_t *start)
{
	char path[64], line[1024];
	bool found = false;
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", process);
	FILE *info = fopen(path, "re");
	while (info && !found && fgets(line, sizeof line, info))
		found = sscanf(line, "Pid: %" SCNu64, pid) == 1;
	if (info)
		fclose(info);
	snprintf(path, sizeof path, "/proc/%" PRIu64 "/stat", *pid);
	FILE *stat = found ? fopen(path, "re") : NULL;
	found = stat && fgets(line, sizeof line, stat);
	if (stat)
		fclose(stat);
	/* The name, in parentheses, may have anything in it; field 22 is the 20th behind it. */
	const char *field = found ? strrchr(line, ')') : NULL;
	for (int i = 0; field && i < 20; i++)
		field = strchr(field + 1, ' ');
	return field && sscanf(field, " %" SCNu64, start) == 1;
}

static uint64_t remembered(FILE *file, uint64_t pid, uint64_t start)
{
	uint64_t its_pid, its_start, mib;
	bool same = fscanf(file, "%" SCNu64 " %" SCNu64 " %" SCNu64, &its_pid, &its_start, &mib) == 3 && its_pid == pid && its_start == start;
	return same ? mib : 0;
}

static bool remember(FILE *file, uint64_t pid, uint64_t start, uint64_t mib)
{
	rewind(file);
	return ftruncate(fileno(file), 0) == 0 && fprintf(file, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", pid, start, mib) > 0 && fflush(file) == 0;
}

static bool change(const struct lkvm *lkvm, uint64_t before, uint64_t after, struct reason *why)
{
	char number[NUMBER_BYTES];
	snprintf(number, sizeof number, "%" PRIu64, after > before ? after - before : before - after);
	return before == after || tell(lkvm, "balloon", after > before ? "-i" : "-d", number, why);
}

static int resize_remembered(const struct lkvm *lkvm, FILE *file, uint64_t mib)
{
	uint64_t pid = 0, start = 0;
	struct reason why;
	if (!identity(lkvm->process, &pid, &start))
		return report(lkvm, "the kernel does not tell which process it is");
	if (!change(lkvm, remembered(file, pid, start), mib, &why))
		return report(lkvm, why.text);
	if (!remember(file, pid, start, mib)) {
		complain("%s: %s", lkvm->balloon, strerror(errno));
		return STATUS_FAILED;
	}
	printf("%" PRIu64 "\n", mib);
	return STATUS_OK;
}

static int resize(const struct lkvm *lkvm, uint64_t mib)
{
	int fd = open(lkvm->balloon, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	FILE *file = fd >= 0 ? fdopen(fd, "r+") : NULL;
	if (!file || flock(fd, LOCK_EX) < 0) {
		complain("%s: %s", lkvm->balloon, strerror(errno));
		if (file)
			fclose(file);
		else if (fd >= 0)
			close(fd);
		return STATUS_FAILED;
	}
	int result = resize_remembered(lkvm, file, mib);
	fclose(file);
	return result;
}

int verb_balloon_lkvm(char **arguments)
{
	uint64_t memory_mib, balloon_mib;
	if (!number_parse(arguments[1], 1, MEMORY_MAX_MIB, &memory_mib)) {
		complain("balloon: MEM_MIB is a number of 1 to %" PRIu64 ", not '%s'", MEMORY_MAX_MIB, arguments[1]);
		return STATUS_USAGE;
	}
	if (!number_parse(arguments[3], 0, memory_mib - 1, &balloon_mib)) {
		complain("balloon: BALLOON_MIB is a number of 0 to %" PRIu64 " (the memory less 1), not '%s'", memory_mib - 1, arguments[3]);
		return STATUS_USAGE;
	}
	struct lkvm lkvm;
	struct reason why;
	enum peer_status status = lkvm_find(&lkvm, arguments[0], arguments[2], &why);
	int result = status == PEER_OK ? resize(&lkvm, balloon_mib) : report(&lkvm, status == PEER_GONE ? "no VM of that name runs here" : why.text);
	if (lkvm.process >= 0)
		close(lkvm.process);
	return result;
}
