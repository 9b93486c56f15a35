/* SPDX-License-Identifier: MIT */
/*
 * kill_at NUMBER COMMAND... runs the command and kills it with SIGKILL when its first thread enters
 * its NUMBERth system call that can change a file, before the call has any effect. Exit status: 0
 * if it was killed, 3 if it exited with status 0 before that, 1 if it failed.
 *
 * kill_at -TERM NUMBER COMMAND... sends SIGTERM at that point and lets the command continue. Exit
 * status: 3 as above, otherwise the command's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENDED = 3, SYSCALL_STOP = SIGTRAP | 0x80 };

static const uint64_t changing[] = {
	SYS_write,
	SYS_pwrite64,
	SYS_writev,
	SYS_ftruncate,
	SYS_fallocate,
	SYS_copy_file_range,
	SYS_sendfile,
	SYS_renameat,
	SYS_renameat2,
	SYS_unlinkat,
	SYS_mkdirat,
	SYS_symlinkat,
	SYS_linkat,
	SYS_fchmod,
	SYS_fchmodat,
	SYS_fsync,
	SYS_fdatasync,
	SYS_fsetxattr,
#ifdef SYS_rename
	SYS_rename,
	SYS_unlink,
	SYS_rmdir,
	SYS_mkdir,
	SYS_symlink,
	SYS_link,
	SYS_chmod,
#endif
};

static bool changes_files(const struct __ptrace_syscall_info *info)
{
	if (info->op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	if (info->entry.nr == SYS_openat)
		return info->entry.args[2] & (O_CREAT | O_TRUNC);
	for (size_t i = 0; i < sizeof changing / sizeof *changing; i++)
		if (info->entry.nr == changing[i])
			return true;
	return false;
}

static int end_of(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
		ptrace(PTRACE_DETACH, pid, NULL, (void *)(intptr_t)WSTOPSIG(status));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Stops tracing too: a handler of SIGTERM runs freely. */
static int terminate(pid_t pid)
{
	kill(pid, SIGTERM);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	return end_of(pid);
}

static int watch(pid_t pid, long number, bool terminated)
{
	int status;
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		struct __ptrace_syscall_info info = {0};
		int signal = WSTOPSIG(status) == SYSCALL_STOP || WSTOPSIG(status) == SIGTRAP
			? 0
			: WSTOPSIG(status);
		if (WSTOPSIG(status) == SYSCALL_STOP &&
			ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof info, &info) > 0 &&
			changes_files(&info) && --number == 0) {
			if (terminated)
				return terminate(pid);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return 0;
		}
		ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)signal);
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? ENDED : 1;
}

int main(int count, char *arguments[])
{
	const bool terminated = count > 1 && strcmp(arguments[1], "-TERM") == 0;
	count -= terminated;
	arguments += terminated;
	long number = count > 2 ? strtol(arguments[1], NULL, 10) : 0;
	if (number < 1) {
		fputs("usage: kill_at [-TERM] NUMBER COMMAND...\n", stderr);
		return 2;
	}
	pid_t pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execvp(arguments[2], arguments + 2);
		perror(arguments[2]);
		_exit(127);
	}
	int status;
	if (pid < 0 || waitpid(pid, &status, 0) != pid ||
		ptrace(PTRACE_SETOPTIONS, pid, NULL,
			(void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) != 0) {
		perror("kill_at");
		return 1;
	}
	ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	return watch(pid, number, terminated);
}
