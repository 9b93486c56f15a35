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
	/*
	 * Commands without the image. Each one after the first runs only if the one before ended
	 * with status `next`.
	 */
	const char *tries[FSCK_TRIES][FSCK_WORDS];
	int next;           /* the exit status after which the next command is tried */
	int mended;         /* exit status bits which, without other bits, mean that all errors were
			       corrected */
	const char *advice; /* for a damaged file system */
};

struct file_system {
	const char *name; /* used in fsType and by mount(2) */

	/* Creation. Without mkfs, only existing images can have this file system. */
	const char *mkfs, *package;             /* the program and its package */
	const char *quiet;                      /* the option that silences mkfs; NULL: none */
	const char *label_option, *uuid_option; /* each is followed by its value */
	const char *uuid_prefix;                /* precedes the UUID in the value of uuid_option */
	bool short_uuid;                        /* the UUID has only 32 bits, as FAT's volume id */
	bool in_process;                        /* created at build time with libext2fs, as `ext` */
	enum ext_type ext;
	uint64_t minimum_mib;     /* minimum size with mkfs's default options */
	size_t label_bytes;       /* maximum length of a label; 0: unknown */
	const char *label_cannot; /* characters that a label cannot contain; NULL: none */
	const char *label_can;    /* the allowed characters, for messages */

	/* Mounting. */
	bool no_overlay;             /* it cannot hold the upper layer of the store's overlay */
	const char *overlay_options; /* mount options if it holds that layer; NULL: none */
	bool grows_mounted;          /* the kernel enlarges it for stage 1 (guest/init/grow.c) */
	uint64_t grows_minimum_mib;  /* the kernel enlarges none that stays below; 0: any */
	const char *kernel_option;   /* name without CONFIG_; NULL: not checked */
	/*
	 * Modules that the kernel requests from modprobe at a mount and that are not dependencies.
	 */
	const char *modules[FS_MODULES];

	struct fsck fsck; /* no check is known if tries[0][0] is NULL */
};

/* Ends with a row without a name. */
extern const struct file_system file_systems[];

/* Returns NULL for a file system without a row, which the guest may support nevertheless. */
const struct file_system *file_system_find(const char *name);
/* Returns NULL if volumes with this file system cannot be created. */
const struct file_system *file_system_created(const char *name);

#endif
