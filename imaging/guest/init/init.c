/* SPDX-License-Identifier: MIT */
/*
 * mvm-init: PID 1 in the initramfs. It loads the modules of the plan (plan.h), executes its steps
 * and becomes the guest's own init.
 *
 *     parameters.c  the kernel command line
 *     message.c     the console, and the end of a VM after a failure
 *     plan.c        reads the plan
 *     step.c        executes one step
 *     disk.c        finds the guest's disks
 *     mounts.c      mounts file systems
 *     child.c       waits for a program
 *     nixos.c       what NixOS expects of a first stage
 *     file.c        files and directories
 *     probe.c       identifies file systems
 *     grow.c        enlarges file systems to the size of their disks
 *     verity.c      disks that are verified by a hash tree
 *     mapper.c      the kernel's device mapper
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/plain_file.h"
#include "imaging/guest/init/disk.h"
#include "imaging/guest/init/file.h"
#include "imaging/guest/init/message.h"
#include "imaging/guest/init/mounts.h"
#include "imaging/guest/init/nixos.h"
#include "imaging/guest/init/parameters.h"
#include "imaging/guest/init/plan.h"
#include "imaging/guest/init/step.h"

enum { CONSOLE_WAIT_MS = 2000, CONSOLE_POLL_MS = 5 };

/* Without /proc every parameter has its default. */
static void read_parameters(struct parameters *parameters)
{
	static char nothing[2];
	char *line = file_text("/proc/cmdline");
	parameters_parse(line ? line : nothing, parameters);
}

static void read_plan(const struct parameters *parameters, struct init_plan *plan)
{
	char *text = file_text("/" PLAN_FILE);
	if (!text) {
		message("FAILED: cannot read the plan of the initramfs, /" PLAN_FILE ": %s",
			strerror(errno));
		stop(parameters);
	}
	unsigned wrong = plan_parse(text, plan);
	if (wrong) {
		message("FAILED: line %u of the plan of the initramfs, /" PLAN_FILE ", is wrong",
			wrong);
		stop(parameters);
	}
}

/* Returns 0 or an errno. */
static int load_module(const struct parameters *parameters, const struct plan_module *module)
{
	int fd = open(module->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	char *options = parameters_of_module(parameters, module->name);
	long failed = syscall(SYS_finit_module, fd, options, 0);
	int error = failed && errno != EEXIST ? errno : 0;
	free(options);
	close(fd);
	return error;
}

/*
 * A module that cannot be loaded does not end the boot: if a mount needs it, the mount reports the
 * failure.
 */
static void load_modules(const struct parameters *parameters, const struct init_plan *plan)
{
	for (size_t i = 0; i < plan->nmodules; i++) {
		const struct plan_module *module = &plan->modules[i];
		int log = kernel_log_mark(), error = load_module(parameters, module);
		if (error && !module->may_fail) {
			message("cannot load the module %s: %s", module->name, strerror(error));
			kernel_log_print(log);
		} else {
			debug(parameters, "module %s%s", module->name,
				error ? " is not for this machine" : "");
			kernel_log_close(log);
		}
	}
}

/*
 * Whether the kernel writes to the console that its command line names, if that is a virtio
 * console.
 */
static bool is_console_active(const struct parameters *parameters)
{
	char active[256];
	return !parameters->console ||
		!file_line("/sys/class/tty/console/active", active, sizeof active) ||
		strstr(active, parameters->console);
}

/*
 * A virtio console appears some time after its module is loaded; only then does /dev/console refer
 * to it.
 */
static void wait_for_console(const struct parameters *parameters)
{
	long long end = milliseconds() + CONSOLE_WAIT_MS;
	while (!(is_console_active(parameters) && console_open()) && parameters->console &&
		milliseconds() < end)
		nanosleep(&(struct timespec){.tv_nsec = CONSOLE_POLL_MS * 1000000L}, NULL);
}

/* ENOENT for an existing script or program refers to its interpreter. */
static void explain_interpreter(const char *init)
{
	char line[256] = "";
	if (!file_line(init, line, sizeof line) || strncmp(line, "#!", 2) != 0) {
		message("  the file exists, but the interpreter (the dynamic linker) that it names "
			"does not");
		return;
	}
	const char *interpreter = line + 2 + strspn(line + 2, " \t");
	message("  the file exists, but its interpreter %.*s does not; is that in the closure?",
		(int)strcspn(interpreter, " \t"), interpreter);
}

static _Noreturn void init_failed(const struct parameters *parameters, const char *init, int error)
{
	message("FAILED: cannot start the init %s: %s", init, strerror(error));
	if (parameters->init)
		message("  the kernel parameter init= names it");
	if (error == ENOENT && access(init, F_OK) == 0)
		explain_interpreter(init);
	else if (error == ENOENT)
		message("  is the toplevel in the closure that was packed, and is the store "
			"mounted?");
	else if (error == EACCES)
		message("  it is not executable, or its file system is mounted noexec");
	else if (error == ENOEXEC)
		message("  it is neither a program for this machine nor a script that names its "
			"interpreter by #!");
	stop(parameters);
}

/* Becomes the guest's init, with the arguments and the environment from the kernel. */
static _Noreturn void hand_over(
	const struct parameters *parameters, const char *init, char **arguments, int initramfs)
{
	if (access(init, X_OK) != 0)
		init_failed(parameters, init, errno);
	tree_delete(initramfs);
	int scratch = open(STAGE1_SCRATCH, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (scratch >= 0)
		tree_delete(scratch);
	rmdir(STAGE1_SCRATCH);
	/* The virtio console may have appeared since. */
	console_open();
	setenv("PATH",
		"/run/wrappers/bin:/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/"
		"sbin:/usr/bin:/sbin:/bin",
		0);
	nixos_prepare_root(parameters, init);
	debug(parameters, "handing over to %s", init);
	arguments[0] = text_join(init, "");
	execv(init, arguments);
	init_failed(parameters, init, errno);
}

int main(int argument_count, char **arguments)
{
	(void)argument_count;
	if (getpid() != 1) {
		message("mvm-init is the first program of a VM, and does nothing elsewhere");
		return 2;
	}
	struct parameters parameters;
	struct init_plan plan;
	long long started = milliseconds();
	mounts_early();
	console_open();
	read_parameters(&parameters);
	debug(&parameters, "the first stage started at %lld ms", started);
	read_plan(&parameters, &plan);
	if (chdir("/") == 0)
		load_modules(&parameters, &plan);
	wait_for_console(&parameters);
	const size_t layers = mounts_below_root(&plan);
	for (size_t i = 0; i < layers; i++)
		step_do(&parameters, &plan.steps[i], AT_FDCWD);
	int initramfs = mounts_enter_root(&parameters, &plan);
	for (size_t i = layers; i < plan.nsteps; i++)
		step_do(&parameters, &plan.steps[i], initramfs);
	if (plan.nixos)
		nixos_mark();
	hand_over(&parameters, parameters.init ? parameters.init : plan.init, arguments, initramfs);
}
