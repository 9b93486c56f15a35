/* SPDX-License-Identifier: MIT */
/*
 * mvm-host: helps a runner's scripts with work on the host that shell scripts cannot do well. The
 * verbs are here; the rooms below do their work:
 *
 *   base/     messages, clock and numbers (runtime.c), other programs, sockets and their peers
 *   control/  a hypervisor's control socket: state, shutdown, balloon; clients of QMP and of the
 *             HTTP interfaces of Cloud Hypervisor and Firecracker, with a strict JSON scanner
 *   kvm/      accel, tsc-khz: whether /dev/kvm can run a guest
 *   shares/   virtiofsd: one daemon and all of a VM's (daemons.c), the namespaces they run in;
 *             listens, notify and extend
 *   volume/   volume: sizes, locks, creation, archives; aio
 *
 * Beside this file, tty.c has the verbs tty and foreground; journal.c, pidfd.c and port.c have the
 * verbs of those names.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/runtime/base/runtime.h"
#include "base/plain_output.h"

struct verb {
	const char *words[2]; /* "shutdown", "qmp": both must be given */
	const char *parameters, *doc;
	int argument_count; /* AT_LEAST(n): n or more */
	int (*run)(char **arguments);
};

#define AT_LEAST(n) (-(n))

static const struct verb verbs[] = {
	{{"accel"}, "", "print kvm or tcg, by trying /dev/kvm; $MICROVM_ACCEL=kvm|tcg overrides it",
		0, verb_accel},
	{{"aio"}, "", "print io_uring or threads, by trying io_uring", 0, verb_aio},
	{{"tsc-khz"}, "", "print the frequency of the time stamp counter", 0, verb_tsc_khz},
	{{"notify"}, "SOCKET|vsock:PORT",
		"pass the messages of the guest's systemd to $NOTIFY_SOCKET, until the calling "
		"process exits",
		1, verb_notify},
	{{"extend"}, "SECONDS",
		"allow the unit at $NOTIFY_SOCKET SECONDS more for its start or stop", 1,
		verb_extend},
	{{"pidfd"}, "PID PROGRAM [ARGUMENT]...",
		"run a program with a pidfd of the process PID as descriptor 3", AT_LEAST(2),
		verb_pidfd},
	{{"virtiofsd"}, "[--with PROCESS] [--group[-if-any] GROUP] SHARE...",
		"serve shares, in the foreground for one connection each, or in the background for "
		"as long as PROCESS lives; a SHARE is\n"
		"           --share TAG SOCKET [--read-only DIRECTORY] [--user-namespace] "
		"[--silent] --run COUNT PROGRAM [ARGUMENT]...\n"
		"           and its virtiofsd has the listening socket as descriptor 3",
		AT_LEAST(6), verb_virtiofsd},
	{{"listens"}, "SOCKET", "status 0: a process listens on it, 1: none does", 1, verb_listens},
	{{"port"}, "tcp|udp ADDRESS PORT",
		"status 0: a program can have this port, 1: it cannot, and the reason is printed",
		3, verb_port},
	{{"foreground"}, "",
		"status 0: this process may read from and change the terminal that is its standard "
		"input or output",
		0, verb_foreground},
	{{"tty"}, "NAME PROGRAM [ARGUMENT]...",
		"run a program, called NAME, with a new terminal as its standard input if that is "
		"not one",
		AT_LEAST(2), verb_tty},
	{{"journal"}, "",
		"copy standard input to standard output until its end, without what the journal "
		"does not show",
		0, verb_journal},
	{{"shutdown", "qmp"}, "SOCKET SECONDS",
		"ask the guest to shut down, cut it off after SECONDS (status 3)", 2,
		verb_shutdown_qmp},
	{{"shutdown", "ch"}, "SOCKET SECONDS", "the same for Cloud Hypervisor", 2,
		verb_shutdown_ch},
	{{"shutdown", "fc"}, "SOCKET SECONDS", "the same for Firecracker", 2, verb_shutdown_fc},
	{{"shutdown", "crosvm"}, "SOCKET CROSVM SECONDS", "the same with the program CROSVM", 3,
		verb_shutdown_crosvm},
	{{"state", "qmp"}, "SOCKET", "print 'running', 'stopped', or 'paused' and why", 1,
		verb_state_qmp},
	{{"state", "ch"}, "SOCKET", "the same for Cloud Hypervisor", 1, verb_state_ch},
	{{"state", "fc"}, "SOCKET", "the same for Firecracker", 1, verb_state_fc},
	{{"balloon", "qmp"}, "SOCKET MEM_MIB BALLOON_MIB",
		"set the balloon's size, print the size it reached", 3, verb_balloon_qmp},
	{{"balloon", "ch"}, "SOCKET MEM_MIB BALLOON_MIB", "the same for Cloud Hypervisor", 3,
		verb_balloon_ch},
	{{"balloon", "fc"}, "SOCKET MEM_MIB BALLOON_MIB", "the same for Firecracker", 3,
		verb_balloon_fc},
	{{"balloon", "crosvm"}, "SOCKET MEM_MIB CROSVM BALLOON_MIB",
		"the same with the program CROSVM", 4, verb_balloon_crosvm},
	{{"balloon", "lkvm"}, "NAME MEM_MIB LKVM BALLOON_MIB",
		"set the balloon's size, by the program LKVM, and print it", 4, verb_balloon_lkvm},
	{{"volume", "check"}, "IMAGE MIB TYPE",
		"status 0: the image can get this size, or does not exist", 3, verb_volume_check},
	{{"volume", "free"}, "IMAGE read|write",
		"status 0: no other user of the image forbids to read or write it, or it does not "
		"exist",
		2, verb_volume_free},
	{{"volume", "lock"}, "DESCRIPTOR IMAGE read|write",
		"lock the image, which the caller has open as DESCRIPTOR, for as long as that "
		"stays open",
		3, verb_volume_lock},
	{{"volume", "create"}, "IMAGE archive FILE | mkfs MIB PROGRAM [ARGUMENT]...",
		"create an image that does not exist, in one step: from the archive, or by PROGRAM "
		"ARGUMENT... FILE",
		AT_LEAST(3), verb_volume_create},
	{{"volume", "clean"}, "IMAGE",
		"status 0: it can be mounted read-only: no ext journal must be replayed", 1,
		verb_volume_clean},
	{{"volume", "whole"}, "IMAGE",
		"status 0: the image is not empty and has room for its file system", 1,
		verb_volume_whole},
	{{"volume", "direct"}, "IMAGE",
		"status 0: its file system supports direct I/O, or this is not known", 1,
		verb_volume_direct},
	{{"volume", "grow"}, "IMAGE MIB TYPE [DESCRIPTOR]",
		"enlarge the image to MIB; print 'extended' if its file system has to grow in the "
		"guest; the caller has it open and locked as DESCRIPTOR",
		AT_LEAST(3), verb_volume_grow},
};
enum { VERB_COUNT = sizeof verbs / sizeof *verbs };

static void usage(FILE *out)
{
	for (int i = 0; i < VERB_COUNT; i++) {
		const struct verb *verb = &verbs[i];
		fprintf(out, "%s mvm-host %s%s%s%s%s\n           %s\n",
			i ? "      " : "usage:", verb->words[0], verb->words[1] ? " " : "",
			verb->words[1] ? verb->words[1] : "", *verb->parameters ? " " : "",
			verb->parameters, verb->doc);
	}
}

static const struct verb *verb_find(char **words, int count, int *used)
{
	for (int i = 0; i < VERB_COUNT; i++) {
		const struct verb *verb = &verbs[i];
		*used = verb->words[1] ? 2 : 1;
		if (count >= *used && !strcmp(words[0], verb->words[0]) &&
			(*used == 1 || !strcmp(words[1], verb->words[1])))
			return verb;
	}
	return NULL;
}

static int run(int argc, char **argv)
{
	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		usage(stdout);
		return STATUS_OK;
	}
	int used = 0;
	const struct verb *verb = verb_find(argv + 1, argc - 1, &used);
	if (!verb) {
		if (argc > 1)
			complain("unknown verb '%s%s%s'", argv[1], argc > 2 ? " " : "",
				argc > 2 ? argv[2] : "");
		usage(stderr);
		return STATUS_USAGE;
	}
	int given = argc - 1 - used, wanted = verb->argument_count;
	if (wanted < 0 ? given < -wanted : given != wanted) {
		complain("%s: expected %d arguments, but got %d", argv[1], abs(wanted), given);
		usage(stderr);
		return STATUS_USAGE;
	}
	return verb->run(argv + 1 + used);
}

/* The numbers of closed standard files are not for ours. Not to be written: that stays an error. */
static void standard_files_hold(void)
{
	int fd;
	while ((fd = open("/dev/null", O_RDONLY)) >= 0 && fd <= STDERR_FILENO)
		;
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	standard_files_hold();
	signal(SIGPIPE, SIG_IGN);
	int status = run(argc, argv);
	switch (output_finish()) {
	case OUTPUT_WRITTEN:
		return status;
	case OUTPUT_UNREAD:
		if (status == STATUS_OK)
			output_end_unread();
		return status;
	default:
		complain("cannot write the output");
		return STATUS_FAILED;
	}
}
