/* SPDX-License-Identifier: MIT */
/*
 * file_systems: the file systems of volumes, one row for each. To add one, add its row. Two carried
 * programs, which cannot read the table, may need a row of their own:
 * imaging/guest/init/probe.c finds a disk by its label or UUID when it has no serial number, and
 * imaging/guest/init/grow.c has the kernel enlarge one.
 */
#ifndef MVM_COMPILER_STORAGE_FILE_SYSTEMS_H
#define MVM_COMPILER_STORAGE_FILE_SYSTEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imaging/volume/ext.h"

enum {
	FSCK_TRIES = 3,
	FSCK_WORDS = 7,
	FS_MODULES = 4,
};

/* How `microvm --fsck` checks a file system. */
struct fsck {
	/* Command lines, without the image; the first always, the others as `next` says. */
	const char *tries[FSCK_TRIES][FSCK_WORDS];
	int next;   /* the exit status at which the next one is tried */
	int mended; /* bits of an exit status that mean, without others, that all is mended */
	const char *advice; /* when the file system is not sound */
};

struct file_system {
	const char *name; /* in fsType, and for mount(2) */

	/* How it is created; mkfs NULL: not at all, so only existing images can have it. */
	const char *mkfs, *package;             /* the program and the package that has it */
	const char *quiet;                      /* the options of mkfs; NULL: none */
	const char *label_option, *uuid_option; /* each is followed by its value */
	const char *uuid_prefix;                /* of the UUID in the value of uuid_option */
	bool short_uuid;                        /* the UUID has 32 bits: FAT's volume id */
	bool in_process;                        /* libext2fs makes it at build time, as: */
	enum ext_type ext;
	uint64_t minimum_mib;     /* what mkfs needs, without further arguments */
	size_t label_bytes;       /* the longest label; 0: not known */
	const char *label_cannot; /* characters that a label cannot have; NULL: any can */
	const char *label_can;    /* which it can, for the message */

	/* How it is mounted. */
	bool no_overlay;             /* it cannot hold the upper layer of the store's overlay */
	const char *overlay_options; /* options of a mount that does; NULL: none */
	bool grows_mounted;          /* stage 1 has the kernel enlarge it (guest/init/grow.c) */
	uint64_t grows_minimum_mib;  /* the kernel enlarges none that stays below; 0: any */
	const char *kernel_option;   /* without CONFIG_; NULL: not checked */
	/* Modules that the kernel asks modprobe for when it mounts one, and no dependency names. */
	const char *modules[FS_MODULES];

	struct fsck fsck; /* tries[0][0] NULL: no check is known */
};

/* Ends with a row without name. */
extern const struct file_system file_systems[];

/* NULL for a file system without a row: the guest may know it. */
const struct file_system *file_system_find(const char *name);
/* NULL when volumes of it cannot be created. */
const struct file_system *file_system_created(const char *name);

#endif
