/* SPDX-License-Identifier: MIT */
/*
 * steps: the steps of stage 1. The builder plans and writes them, mvm-init reads and executes them.
 * Both sides use these structures, so this header depends on libc alone.
 */
#ifndef MVM_IMAGING_GUEST_INIT_STEPS_H
#define MVM_IMAGING_GUEST_INIT_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#include "imaging/guest/init/verity_format.h"

/*
 * Targets are absolute paths in the guest's final root; files are relative to the root of the
 * initramfs. Files below STAGE1_SCRATCH are removed before the guest's init starts; programs that
 * steps run find their input there.
 */
#define STAGE1_TMPFS "/run" /* empty at each boot */
#define STAGE1_SCRATCH STAGE1_TMPFS "/mvm"

/* The kernel's file systems: X(TARGET, TYPE, FLAGS). They are mounted before the steps. */
#define STAGE1_KERNEL_MOUNTS(X) \
	X("/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC) \
	X("/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC) \
	X("/dev", "devtmpfs", MS_NOSUID)

enum { STAGE1_VERITY_NAME_BYTES = 64 };

/*
 * Creates /dev/mapper/NAME from a disk whose blocks are verified on reading by the hash tree after
 * its data.
 */
struct stage1_verity {
	/* `source` is the serial number of a virtio or NVMe disk, else a path below /dev/ */
	bool is_disk;
	const char *source;
	const char *name; /* shorter than STAGE1_VERITY_NAME_BYTES, without a slash */
	uint64_t blocks;  /* number of data blocks of 4096 bytes, which precede the tree */
	unsigned char root[VERITY_HASH_BYTES];
};

struct stage1_mount {
	/*
	 * Whether `source` is the serial number of a virtio or NVMe disk, of which virtio keeps
	 * only the first 20 bytes. Otherwise it is passed to mount(2) unchanged: a tag, "tmpfs", a
	 * path in the guest; stage 1 waits for a path below /dev/.
	 */
	bool is_disk;
	const char *source;
	const char *target;  /* created if missing; "/" replaces the tmpfs */
	const char *type;    /* file system */
	const char *options; /* as for mount(8) ("noatime,discard"); may be "" */
	bool read_only;
	/*
	 * Identity of the disk at a `source` below /dev/: "uuid:…" or "label:…", as in
	 * imaging/guest/init/plan.h. NULL or "": any disk at that path is accepted.
	 */
	const char *identity;
	/* a volume's image on the host, for messages; NULL or "": it is not a volume */
	const char *image;
};

/* Enlarges the file system that is mounted at `target` to the size of its disk. */
struct stage1_grow {
	const char *target;
};

/* Creates a directory, or sets mode and owner of an existing one. */
struct stage1_directory {
	const char *target;
	unsigned mode, owner, group;
};

/* Copies a file of the initramfs to `target`. */
struct stage1_file {
	const char *file, *target;
	unsigned mode;
};

/* Creates a symbolic link to `path` at `target`; an existing file there is kept. */
struct stage1_link {
	const char *path, *target;
};

/* Runs a static program; the boot fails unless it exits with status 0. */
struct stage1_run {
	const char *file;
	const char *const *arguments; /* as main() receives them: the name first, NULL last */
};

enum stage1_kind {
	STAGE1_VERITY,
	STAGE1_MOUNT,
	STAGE1_GROW,
	STAGE1_DIRECTORY,
	STAGE1_FILE,
	STAGE1_LINK,
	STAGE1_RUN
};

struct stage1_step {
	enum stage1_kind kind;
	union {
		struct stage1_verity verity;
		struct stage1_mount mount;
		struct stage1_grow grow;
		struct stage1_directory directory;
		struct stage1_file file;
		struct stage1_link link;
		struct stage1_run run;
	};
};

#endif
