/* SPDX-License-Identifier: MIT */
/*
 * plan: the steps of the first stage as a file. The builder (imaging/initrd/stage1.c) writes it
 * into the initramfs as mvm/plan, and mvm-init reads it. Both always travel together, so a reader
 * accepts only its own version.
 *
 * The file is text with one item per line and fields separated by one blank. The bytes up to ' ',
 * DEL and '\' are written as '\' and three octal digits, as in fstab; an empty field is "-", and a
 * field "-" is "\055". The first line is PLAN_VERSION; then follow
 *
 *     init PATH
 *         the program to hand over to; once
 *     root OPTIONS
 *         options of the tmpfs that is the root; once
 *     nixos
 *         create /etc/NIXOS after all steps
 *     module FILE NAME needed|may-fail
 *         load a module, before the first step, in this order
 *
 * and the steps, which are executed strictly in this order:
 *
 *     verity disk|name SOURCE NAME BLOCKS ROOT
 *         create /dev/mapper/NAME for the disk, which has BLOCKS blocks of data of 4096 bytes and
 *         then a hash tree (verity_format.h); ROOT is its root hash, 64 hex digits
 *     mount disk|name SOURCE TARGET TYPE ro|rw OPTIONS IDENTITY IMAGE
 *         mount a file system; SOURCE of a disk is its serial number. TARGET "/" replaces the
 *         tmpfs: the steps before it are executed in the initramfs, with TARGETs there, and make
 *         the layers of the root.
 *     grow TARGET
 *         enlarge the file system that is mounted there to the size of its disk
 *     directory TARGET MODE OWNER GROUP
 *         create it if missing, and set its mode (octal) and its owner and group (numbers)
 *     file FILE TARGET MODE
 *         copy FILE there; MODE is octal
 *     link PATH TARGET
 *         make TARGET a symbolic link to PATH, unless TARGET exists
 *     run FILE NAME ARGUMENT...
 *         run a static program, with NAME as its own name, and wait; its status must be 0
 *
 * IDENTITY, for a SOURCE below /dev/, is "uuid:UUID" or "label:LABEL" of the file system. If
 * another disk has that file system, that disk is mounted. If no disk has the UUID, SOURCE is
 * mounted, as the volume was created elsewhere. If no disk or several disks have the label, that is
 * an error. IMAGE is the host's name of a volume's image, for messages. FILE is relative to the
 * root of the initramfs; other paths are absolute in the guest's final root. OPTIONS are
 * mount(8)'s, separated by commas. Files below STAGE1_SCRATCH are removed before the guest's init
 * starts; programs of `run` find their input there.
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
	char **words; /* every field of every line, with a NULL after the last field of each line */
};

/*
 * Parses a plan. Strings point into `text`, which is modified. Returns 0, or the number of the
 * first invalid line.
 */
unsigned plan_parse(char *text, struct init_plan *plan);

#endif
