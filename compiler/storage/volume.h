/* SPDX-License-Identifier: MIT */
/* volume: the file systems that volumes can be made with. */
#ifndef MVM_COMPILER_STORAGE_VOLUME_H
#define MVM_COMPILER_STORAGE_VOLUME_H

#include "backends/interface/vm.h"
#include "imaging/volume/ext.h"

struct volume_type {
	const char *name;
	const char *mkfs, *package; /* the program, and where it comes from */
	const char *quiet;          /* its options, NULL: none; in their order */
	const char *label_option;
	const char *uuid_option, *uuid_prefix;
	size_t label_bytes;   /* the longest label */
	uint64_t minimum_mib; /* of what it makes by default */
	bool in_process;      /* made at build time, as this: */
	enum ext_type ext;
};

/* NULL when volumes cannot be made with it. */
const struct volume_type *volume_type_find(const char *name);
/*
 * Whether its mkfs makes it, at the first start: where it is not made in process, or further
 * arguments are given.
 */
bool volume_by_mkfs(const struct volume *volume, const struct volume_type *type);
/* What the VM does with it, in mvm-host's words. */
const char *volume_use(const struct volume *volume);
/* The UUID of the file system that is made, as blkid writes it. */
const char *volume_uuid(struct arena *arena, const struct vm *vm, const struct volume *volume);
/* What everything that identifies the volume derives from. */
const char *volume_seed(struct arena *arena, const struct vm *vm, const struct volume *volume);
/* The command, without the image: mkfs.xfs -q -m uuid=… -L data. */
void volume_mkfs(struct arena *arena, const struct vm *vm, const struct volume *volume,
	struct strings *command);

#endif
