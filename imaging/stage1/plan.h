/* SPDX-License-Identifier: MIT */
/*
 * plan: what the first stage has to do. The builder writes it into the initramfs as mvm/plan (imaging/stage1.c), mvm-init reads it; the two
 * always travel together, so a reader takes only its own version.
 *
 * Text, one item a line, fields separated by one blank. The bytes up to ' ', DEL and '\' are written as '\' and three octal digits, as in
 * fstab; an empty field is "-", and a field "-" is "\055". The first line is PLAN_VERSION; then, each kind in the order that it is done in:
 *
 *     init PATH                                          the program to hand over to; once
 *     root OPTIONS                                       of the tmpfs that is the root; once
 *     nixos                                              make /etc/NIXOS
 *     module FILE NAME needed|may-fail                   load it, before any mount
 *     mount disk|name SOURCE TARGET TYPE ro|rw OPTIONS   SOURCE of a disk is its serial number; TARGET "/": instead of the tmpfs
 *     file FILE TARGET MODE                              put it there, after all mounts; MODE is octal
 *     link PATH TARGET                                   make TARGET a symbolic link to PATH, after all mounts
 *
 * FILE is relative to the root of the initramfs, other paths are absolute in the guest's final root. OPTIONS are mount(8)'s, separated by
 * commas.
 */
#ifndef MVM_PLAN_H
#define MVM_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#define PLAN_FILE "mvm/plan"
#define PLAN_VERSION "mvm-plan 1"

struct plan_module {
	const char *file, *name;
	bool may_fail;
};

struct plan_mount {
	bool is_disk; /* `source` is a serial number */
	const char *source, *target, *type, *options;
	bool read_only;
};

struct plan_file {
	const char *file, *target;
	unsigned mode;
};

struct plan_link {
	const char *path, *target;
};

struct plan {
	const char *init, *root_options;
	bool nixos;
	struct plan_module *modules;
	struct plan_mount *mounts;
	struct plan_file *files;
	struct plan_link *links;
	size_t nmodules, nmounts, nfiles, nlinks;
};

/* Reads a plan; strings point into `text`, which is changed. 0, or the number of the first line that is wrong. */
unsigned plan_parse(char *text, struct plan *plan);

#endif
