/* SPDX-License-Identifier: MIT */
/*
 * parameters: the parameters of the kernel command line that the first stage uses:
 *
 *     init=PATH                start this program instead of the plan's
 *     console=hvcN             wait for this console
 *     MODULE.PARAMETER=VALUE   passed to the module when it is loaded
 *     mvm.debug=1              report each step
 *     mvm.wait=SECONDS         how long to wait for a disk (default 10)
 *     mvm.fail=END             how a failure ends the VM: panic (default), which some hypervisors
 *                              distinguish from other ends; poweroff; reboot
 *     mvm.verity=panic         a changed block of a disk ends the VM; otherwise the kernel fails
 *                              the read; Linux 5.9
 *     mvm.shell=PATH           run this program of the guest before a failure ends the VM
 */
#ifndef MVM_IMAGING_GUEST_INIT_PARAMETERS_H
#define MVM_IMAGING_GUEST_INIT_PARAMETERS_H

#include <stdbool.h>

enum failure_end { END_PANIC, END_POWER_OFF, END_REBOOT };

struct parameters {
	const char *init, *shell; /* NULL if not given */
	const char *console;      /* the last console= that names a virtio console, or NULL */
	bool debug, verity_panics;
	enum failure_end end;
	unsigned wait_ms;
	/* the command line; its words are separated by '\0', and an empty word ends it */
	char *line;
};

/* Parses the command line, which is modified and must stay valid. It must end with two '\0'. */
void parameters_parse(char *line, struct parameters *parameters);

/*
 * Returns "a=1 b=2" if the command line has NAME.a=1 and NAME.b=2, "" if it has none. The caller
 * frees it.
 */
char *parameters_of_module(const struct parameters *parameters, const char *name);

#endif
