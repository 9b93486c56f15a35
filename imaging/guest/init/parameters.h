/* SPDX-License-Identifier: MIT */
/*
 * parameters: the kernel command line, as far as the first stage obeys it:
 *
 *     init=PATH                hand over to this program instead of the plan's
 *     console=hvcN             wait for this console
 *     MODULE.PARAMETER=VALUE   given to the module when it is loaded
 *     mvm.debug=1              tell each step
 *     mvm.wait=SECONDS         for how long to wait for a disk; 10
 *     mvm.fail=END             how a failure ends the VM: panic, which some hypervisors tell from
 *     other ends; poweroff; reboot. panic
 *     mvm.verity=panic         a block of a disk that was changed ends the VM, where the kernel
 *     would fail the read; Linux 5.9
 *     mvm.shell=PATH           a program of the guest to run before that
 */
#ifndef MVM_IMAGING_GUEST_INIT_PARAMETERS_H
#define MVM_IMAGING_GUEST_INIT_PARAMETERS_H

#include <stdbool.h>

enum failure_end { END_PANIC, END_POWER_OFF, END_REBOOT };

struct parameters {
	const char *init, *shell; /* NULL when not given */
	const char *console;      /* the last console= that names a virtio console; NULL */
	bool debug, verity_panics;
	enum failure_end end;
	unsigned wait_ms;
	char *line; /* the command line, its words separated by '\0', an empty one at the end */
};

/* Reads the command line, which is changed and kept. Two '\0' end it. */
void parameters_parse(char *line, struct parameters *parameters);

/*
 * "a=1 b=2" when the command line has NAME.a=1 and NAME.b=2; "" without any. The caller frees it.
 */
char *parameters_of_module(const struct parameters *parameters, const char *name);

#endif
