/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "backends/runtime/base/child.h"
#include "backends/runtime/base/peer.h"
#include "backends/runtime/base/runtime.h"

/*
 * kvmtool's balloon can only grow and shrink by a number, and its size cannot be read. So the size
 * is stored in a file, for the lifetime of the process.
 */
enum {
	ANSWER_MS = 10000, /* for any single answer */
	PATH_BYTES = 256,
	NUMBER_BYTES = 24,
};

struct lkvm {
	const char *program, *name;
	/* a pidfd; -1 if the kernel does not provide one */
	int process;
	char socket[PATH_BYTES], balloon[PATH_BYTES]; /* files below .lkvm */
};

/*
 * lkvm looks for the socket below $HOME, which was set to the state directory when the VM was
 * started.
 */
static bool home_set(struct reason *why)
{
	char *directory = getcwd(NULL, 0);
	bool ok = directory && setenv("HOME", directory, 1) == 0;
	free(directory);
	return ok || reason_set(why, "the current directory: %s", strerror(errno));
}

static enum peer_status lkvm_find(
	struct lkvm *lkvm, const char *name, const char *program, struct reason *why)
{
	*lkvm = (struct lkvm){.program = program, .name = name, .process = -1};
	snprintf(lkvm->socket, sizeof lkvm->socket, ".lkvm/%s.sock", name);
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

static bool tell(const struct lkvm *lkvm, const char *command, const char *option,
	const char *value, struct reason *why)
{
	const char *const argv[] = {lkvm->program, command, "-n", lkvm->name, option, value, NULL};
	return child_run(argv, clock_ms() + ANSWER_MS, NULL, why);
}

/*
 * Reads the process's number and start time, in clock ticks since the host's boot, which together
 * identify it.
 */
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
	/* The name, in parentheses, may contain anything; field 22 is the 20th after it. */
	const char *field = found ? strrchr(line, ')') : NULL;
	for (int i = 0; field && i < 20; i++)
		field = strchr(field + 1, ' ');
	return field && sscanf(field, " %" SCNu64, start) == 1;
}

static uint64_t remembered(FILE *file, uint64_t pid, uint64_t start)
{
	uint64_t its_pid, its_start, mib;
	bool same =
		fscanf(file, "%" SCNu64 " %" SCNu64 " %" SCNu64, &its_pid, &its_start, &mib) == 3 &&
		its_pid == pid && its_start == start;
	return same ? mib : 0;
}

static bool remember(FILE *file, uint64_t pid, uint64_t start, uint64_t mib)
{
	rewind(file);
	return ftruncate(fileno(file), 0) == 0 &&
		fprintf(file, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", pid, start, mib) > 0 &&
		fflush(file) == 0;
}

static bool change(const struct lkvm *lkvm, uint64_t before, uint64_t after, struct reason *why)
{
	char number[NUMBER_BYTES];
	snprintf(number, sizeof number, "%" PRIu64,
		after > before ? after - before : before - after);
	return before == after || tell(lkvm, "balloon", after > before ? "-i" : "-d", number, why);
}

static int resize_remembered(const struct lkvm *lkvm, FILE *file, uint64_t mib)
{
	uint64_t pid = 0, start = 0;
	struct reason why;
	if (!identity(lkvm->process, &pid, &start))
		return report(lkvm, "cannot determine its process");
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
	if (!balloon_sizes_parse(arguments[1], arguments[3], &memory_mib, &balloon_mib))
		return STATUS_USAGE;
	struct lkvm lkvm;
	struct reason why;
	enum peer_status status = lkvm_find(&lkvm, arguments[0], arguments[2], &why);
	int result = STATUS_FAILED;
	if (status == PEER_OK)
		result = resize(&lkvm, balloon_mib);
	else if (status == PEER_GONE)
		no_vm("microvm-balloon MIB", lkvm.socket);
	else
		report(&lkvm, why.text);
	if (lkvm.process >= 0)
		close(lkvm.process);
	return result;
}
