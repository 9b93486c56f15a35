/* SPDX-License-Identifier: MIT */
/* plan: all actions of a build, as data. Making a plan reads files but writes none. */
#ifndef MVM_COMPILER_PLAN_PLAN_H
#define MVM_COMPILER_PLAN_PLAN_H

#include <stdbool.h>

#include "backends/interface/backend.h"
#include "backends/interface/vm.h"
#include "compiler/closure/closure.h"
#include "compiler/plan/run_memo.h"
#include "compiler/resolve/resolve.h"
#include "compiler/storage/guest.h"
#include "compiler/storage/nix_state.h"
#include "compiler/storage/runner_paths.h"
#include "compiler/storage/storage.h"
#include "imaging/initrd/stage1.h"
#include "imaging/modules/modules.h"

/* A program embedded in this one: imaging/guest/nix_db/main.c. */
#define NIX_DB_PROGRAM "mvm-nix-db"

/*
 * Names in the scratch directory where compiler/images/nix_images.c writes: the directory with
 * db.sqlite, schema and id; and the registration.
 */
#define PLAN_DATABASE "db"
#define PLAN_REGISTRATION "registration"

/* An image that the runner creates at its first start. */
struct created_volume {
	const struct volume *volume;
	const char *archive; /* path in the runner; NULL: mkfs creates it */
	struct strings mkfs; /* the command without the image */
};

struct plan {
	const struct vm *vm;
	const struct storage *storage;
	const struct backend *backend;
	struct system system;
	struct closure closure;
	struct guest guest;
	struct lowered lowered;
	bool own_stage1;      /* the initrd is ours */
	bool copies_kernel;   /* the kernel is outside the store, so the runner contains it */
	bool unpacks_kernel;  /* the hypervisor needs the ELF file inside the bzImage */
	bool copies_initrd;   /* the same for the given initrd */
	bool tap_multi_queue; /* the host creates taps with multi_queue, as the hypervisor opens
				 them */
	struct module_list modules;
	struct guest_mounts mounts;
	/*
	 * The steps of our stage 1, in order; empty with a foreign initrd. The hash tree of a step
	 * STAGE1_VERITY is known only when the disk is made.
	 */
	struct stage1_steps steps;
	struct stage1_contents
		contents; /* files of the steps, by their names in a scratch directory */
	VEC(struct created_volume) created;
	enum kernel_arch host_arch; /* of the host that runs the VM */
	uint32_t time;              /* time stamp of all files, in seconds since 1970 */
	/* results shared with the other VMs of this run; NULL: nothing is shared */
	struct shared *shared;
};

/*
 * Checks that `closure` and `storePaths` exist, for a description whose system was not found, so
 * that it cannot be planned.
 */
void plan_check_paths(struct arena *arena, struct diag *diag, const struct vm *vm);
/* `jobs` is the number of threads that read store paths; `meter` gets their progress, or is NULL.
 */
bool plan_make(struct arena *arena, struct diag *diag, const struct vm *vm,
	const struct storage *storage, const struct system *system, struct shared *shared,
	unsigned jobs, const struct meter *meter, struct plan *plan);

#endif
