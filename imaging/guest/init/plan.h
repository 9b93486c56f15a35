/* SPDX-License-Identifier: MIT */
/*
 * plan: what the first stage has to do. The builder writes it into the initramfs as mvm/plan
 * (imaging/initrd/stage1.c), mvm-init reads it; the two always travel together, so a reader takes
 * only its own version.
 *
 * Text, one item a line, fields separated by one blank. The bytes up to ' ', DEL and '\' are
 * written as '\' and three octal digits, as in fstab; an empty field is "-", and a field "-" is
 * "\055". The first line is PLAN_VERSION; then
 *
 *     init PATH                                          the program to hand over to; once
 *     root OPTIONS                                       of the tmpfs that is the root; once
 *     nixos                                              make /etc/NIXOS, after all steps
 *     module FILE NAME needed|may-fail                   load it, before the first step, in order
 *
 * and the steps, which are done strictly in the order in which they stand:
 *
 *     verity disk|name SOURCE NAME BLOCKS ROOT           make /dev/mapper/NAME of the disk, whose
 *     data are BLOCKS blocks of 4096 bytes with a hash tree
 *                                                        behind them (verity_format.h); ROOT is
 *                                                        its root hash, 64 hex digits
 *     mount disk|name SOURCE TARGET TYPE ro|rw OPTIONS IDENTITY IMAGE
 *                                                        SOURCE of a disk is its serial number;
 *                                                        TARGET "/": instead of the tmpfs, and
 *                                                        first
 *     grow TARGET                                        make the file system that is mounted
 *                                                        there as large as its disk
 *     directory TARGET MODE OWNER GROUP                  make it where it is missing, and give it
 *     these; numbers, MODE octal
 *     file FILE TARGET MODE                              put it there; MODE is octal
 *     link PATH TARGET                                   make TARGET a symbolic link to PATH,
 *     unless there is something
 *     run FILE NAME ARGUMENT...                          run this static program, which knows
 *     itself by NAME, and wait: its status must be 0
 *
 * IDENTITY, of a SOURCE below /dev/, is "uuid:UUID" or "label:LABEL" of the file system: another
 * disk is taken when that one has it. Where none has the UUID, SOURCE is: the volume was made
 * elsewhere; where none has the label, or several have, it is an error. IMAGE is the host's name of
 * a volume's image, for messages. FILE is relative to the root of the initramfs, other paths are
 * absolute in the guest's final root. OPTIONS are mount(8)'s, separated by commas. What is put
 * below STAGE1_SCRATCH is gone when the guest's init starts: the place for what a program of `run`
 * reads.
 */
#ifndef MVM_IMAGING_GUEST_INIT_PLAN_H
#define MVM_IMAGING_GUEST_INIT_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "imaging/guest/init/steps.h"

#define PLAN_FILE "mvm/plan"
#define PLAN_VERSION "mvm-plan 5"

struct plan_module {
	const char *file, *name;
	bool may_fail;
};

struct init_plan {
	const char *init, *root_options;
	bool nixos;
	struct plan_module *modules;
	struct stage1_step *steps;
	size_t nmodules, nsteps;
	char **words; /* every field of every line, a NULL after each line's last */
};

/*
 * Reads a plan; strings point into `text`, which is changed. 0, or the number of the first line
 * that is wrong.
 */
unsigned plan_parse(char *text, struct init_plan *plan);

#endif
