/* SPDX-License-Identifier: MIT */
/* stage1: makes the initramfs that mounts the guest's file systems and starts its init. */
#ifndef MVM_IMAGING_INITRD_STAGE1_H
#define MVM_IMAGING_INITRD_STAGE1_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/diag.h"
#include "imaging/guest/init/steps.h"
#include "imaging/kernel/kernel.h"
#include "imaging/modules/modules.h"

/* A step STAGE1_VERITY makes its disk mountable as STAGE1_MAPPED NAME. */
#define STAGE1_MAPPED "/dev/mapper/"

/* Directories in the initramfs: the files that steps copy, and the programs that they run. */
#define STAGE1_FILES "mvm/files/"
#define STAGE1_PROGRAMS "mvm/programs/"

struct stage1_steps {
	struct stage1_step *v;
	size_t n, capacity;
};

/* A file that a step STAGE1_FILE names, and the file on this machine that it is a copy of. */
struct stage1_content {
	const char *file, *source;
};

struct stage1_contents {
	struct stage1_content *v;
	size_t n, capacity;
};

struct stage1_request {
	enum kernel_arch arch; /* of the guest */
	const char *output;    /* the initramfs to create (newc cpio, gzip); must not exist */
	const char *init;      /* absolute path in the guest: TOPLEVEL/init */
	/* create /etc/NIXOS and whatever else NixOS's second stage expects */
	bool nixos;
	const char *root_options; /* of the tmpfs that is the guest's root: "mode=0755,size=50%" */
	const struct module_list *modules; /* not NULL */
	/*
	 * Executed in this order. A STAGE1_RUN step runs a program that is embedded in this one,
	 * from STAGE1_PROGRAMS.
	 */
	struct stage1_steps steps;
	struct stage1_contents contents; /* of all files that the steps name */
	uint32_t time;                   /* of every entry, in seconds since 1970 */
	struct gzip_memo *memo;          /* of compressed pieces; NULL: none */
};

struct stage1_result {
	uint64_t bytes; /* of the initramfs */
};

/*
 * Returns a program for guests or hosts of this architecture that is embedded in this one; NULL:
 * there was no compiler for it.
 */
#define STAGE1_INIT "mvm-init"
struct embedded_file;
const struct embedded_file *program_embedded(const char *name, enum kernel_arch arch);
bool stage1_has_program(const char *name, enum kernel_arch arch);

/*
 * The guest's first stage reads parameters from the kernel command line, such as mvm.debug=1:
 * imaging/guest/init/parameters.h. On failure there is no output.
 */
bool stage1_write(struct arena *arena, struct diag *diag, const struct stage1_request *request,
	struct stage1_result *result);

#endif
