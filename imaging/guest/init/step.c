/* SPDX-License-Identifier: MIT */
#include "imaging/guest/init/step.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/plain_file.h"
#include "imaging/guest/init/child.h"
#include "imaging/guest/init/file.h"
#include "imaging/guest/init/grow.h"
#include "imaging/guest/init/message.h"
#include "imaging/guest/init/mounts.h"
#include "imaging/guest/init/verity.h"

extern char **environ;

static void require(
	const struct parameters *parameters, bool done, const char *what, const char *path)
{
	if (done) {
		debug(parameters, "%s %s: done", what, path);
		return;
	}
	message("FAILED: cannot %s %s: %s", what, path, strerror(errno));
	stop(parameters);
}

static void make_directory(
	const struct parameters *parameters, const struct stage1_directory *directory)
{
	bool done = directory_put(
		directory->target, directory->mode, directory->owner, directory->group);
	require(parameters, done, "make the directory", directory->target);
}

static void put_file(
	const struct parameters *parameters, const struct stage1_file *file, int initramfs)
{
	require(parameters, file_put(initramfs, file->file, file->target, file->mode), "write",
		file->target);
}

static void make_link(const struct parameters *parameters, const struct stage1_link *link)
{
	bool done = parents_make(link->target, 0755) &&
		(symlink(link->path, link->target) == 0 || errno == EEXIST);
	require(parameters, done, "make the link", link->target);
}

/*
 * Runs in the child: executes the program, which lies in the initramfs and so has no path below the
 * new root.
 */
static _Noreturn void execute(const struct stage1_run *run, int initramfs)
{
	int program = openat(initramfs, run->file, O_PATH | O_CLOEXEC);
	if (program >= 0)
		syscall(SYS_execveat, program, "", run->arguments, environ, AT_EMPTY_PATH);
	message("cannot start %s: %s", run->arguments[0], strerror(errno));
	_exit(CHILD_NOT_STARTED);
}

static void run_program(
	const struct parameters *parameters, const struct stage1_run *run, int initramfs)
{
	const pid_t child = fork();
	if (child == 0)
		execute(run, initramfs);
	child_finish(parameters, child, run->arguments[0]);
}

void step_do(const struct parameters *parameters, const struct stage1_step *step, int initramfs)
{
	switch (step->kind) {
	case STAGE1_VERITY:
		verity_open(parameters, &step->verity);
		break;
	case STAGE1_MOUNT:
		mount_make(parameters, &step->mount);
		break;
	case STAGE1_DIRECTORY:
		make_directory(parameters, &step->directory);
		break;
	case STAGE1_FILE:
		put_file(parameters, &step->file, initramfs);
		break;
	case STAGE1_LINK:
		make_link(parameters, &step->link);
		break;
	case STAGE1_GROW:
		grow_make(parameters, step->grow.target);
		break;
	case STAGE1_RUN:
		run_program(parameters, &step->run, initramfs);
		break;
	}
}
