/* SPDX-License-Identifier: MIT */
/* plan: everything that a build will do, as data. Making it reads files and writes none. */
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

/* A program that this one carries: imaging/guest/nix_db/main.c. */
#define NIX_DB_PROGRAM "mvm-nix-db"

/*
 * What compiler/images/nix_images.c makes in a scratch directory: the directory of db.sqlite,
 * schema and id, and the registration.
 */
#define PLAN_DATABASE "db"
#define PLAN_REGISTRATION "registration"

/* An image that the runner creates at its first start. */
struct created_volume {
	const struct volume *volume;
	const char *archive; /* in the runner; NULL: mkfs makes it */
	struct strings mkfs; /* the command, without the image */
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
	bool copies_kernel;   /* the kernel is not in the store, so the runner carries it */
	bool unpacks_kernel;  /* the hypervisor wants the ELF inside the bzImage */
	bool copies_initrd;   /* the given initrd likewise */
	bool tap_multi_queue; /* how the host makes taps: as the hypervisor opens them */
	struct module_list modules;
	struct guest_mounts mounts;
	/*
	 * What our stage 1 does, in its order; nothing when the initrd is another one. The hash
	 * tree of a step STAGE1_VERITY is known when the disk is made.
	 */
	struct stage1_steps steps;
	struct stage1_contents contents; /* of its files, by names in a scratch directory */
	VEC(struct created_volume) created;
	uint32_t time; /* seconds since 1970 of everything that has a time */
	/* what is made once, with other VMs of this run if there are any; NULL: nothing is kept */
	struct shared *shared;
};

/* `jobs`: threads, where store paths must be read. */
bool plan_make(struct arena *arena, struct diag *diag, const struct vm *vm,
	const struct storage *storage, const struct system *system, struct shared *shared,
	unsigned jobs, struct plan *plan);

#endif
