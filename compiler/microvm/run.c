/* SPDX-License-Identifier: MIT */
/* run: runs a VM in the foreground, as its unit would. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/interrupts.h"
#include "compiler/microvm/become.h"
#include "compiler/linked/disk_place.h"
#include "compiler/microvm/custody.h"
#include "compiler/microvm/host_disks.h"

/* Serves the shares as root, as the unit does, until this process, then the hypervisor, ends. */
static bool serve_shares(const struct host *host, const char *user)
{
	static const char program[] = "./current/bin/virtiofsd-run";
	const char *process = arena_printf(host->arena, "%d", (int)getpid());
	int status;
	if (access(program, X_OK) != 0)
		return true;
	const pid_t child = fork();
	if (child == 0) {
		interrupts_forget();
		if (setenv("MICROVM_USER", user, 1) == 0)
			execl(program, program, "--with", process, (char *)NULL);
		_exit(127);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
		diag_error(host->diag, STATUS_FAILED, NULL, "run", "cannot serve the VM's shares");
}

bool verb_run(struct host *host, const struct request *request)
{
	struct machine machine;
	struct strings argv = {0};
	/* root must not run programs that others can change. */
	if (!machine_get(host, request->name, &machine) ||
		(geteuid() == 0 && !custody_take(host, machine.directory)) ||
		!machine_get(host, request->name, &machine) ||
		!unit_user_add(host, &machine, &argv))
		return false;
	if (geteuid() == 0 && !host_disk_link(host, machine_path(host, &machine, "current")))
		return false;
	diag_print(host->diag, stderr, DIAG_HUMAN, host->settings.quiet);
	if (setenv(DISK_PLACE_VARIABLE, host_disks(host), 1) != 0)
		return diag_error(host->diag, STATUS_FAILED, NULL, "run",
			"cannot set a variable: %s", strerror(errno));
	if (chdir(machine.directory) != 0)
		return diag_error(host->diag, STATUS_FAILED, NULL, "run", "cannot enter %s: %s",
			machine.directory, strerror(errno));
	if (argv.n && !serve_shares(host, argv.v[2]))
		return false;
	vec_push(host->arena, &argv, "./current/bin/microvm-run");
	vec_push(host->arena, &argv, NULL);
	return program_become(host, &argv);
}
