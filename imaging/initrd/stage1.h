/* SPDX-License-Identifier: MIT */
/* stage1: makes the initramfs that mounts the guest's file systems and starts its init. */
#ifndef MVM_IMAGING_INITRD_STAGE1_H
#define MVM_IMAGING_INITRD_STAGE1_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/diag.h"
#include "imaging/disk/verity.h"
#include "imaging/kernel/kernel.h"
#include "imaging/modules/modules.h"

enum stage1_source {
	/*
	 * the virtio or NVMe disk with this serial number, of which virtio keeps only the first 20
	 * bytes
	 */
	STAGE1_DISK_SERIAL,
	/*
	 * passed to mount(2) unchanged: a tag, "tmpfs", a path in the guest; a path below /dev/ is
	 * waited for
	 */
	STAGE1_NAME,
};

/*
 * A disk whose blocks are verified on reading by the hash tree after its data; it can then be
 * mounted as STAGE1_MAPPED NAME.
 */
#define STAGE1_MAPPED "/dev/mapper/"
struct stage1_verity {
	enum stage1_source source_kind; /* a disk, or a path below /dev/ */
	const char *source;
	const char *name; /* at most 63 bytes, without a slash */
	struct verity verity;
};

struct stage1_mount {
	enum stage1_source source_kind;
	const char *source;
	/* absolute, in the guest's final root; created if missing. "/" replaces the tmpfs */
	const char *target;
	const char *type; /* file system */
	/* as for mount(8) ("noatime,discard"); may be ""; paths in them are the guest's */
	const char *options;
	bool read_only;
	/*
	 * Identity of the disk at a `source` below /dev/: "uuid:…" or "label:…", as in
	 * imaging/guest/init/plan.h. NULL: any disk at that path is accepted.
	 */
	const char *identity;
	bool grows; /* xfs or btrfs: its disk may have been enlarged */
	/* its image's name on the host, for messages; NULL: it is not a volume */
	const char *image;
	const char *label; /* of the file system; NULL: it has none, or it is not known */
};

/* Creates a directory, or sets mode and owner of an existing one. */
struct stage1_directory {
	const char *target; /* absolute, in the guest's final root */
	mode_t mode;
	uid_t owner;
	gid_t group;
};

/*
 * Copies a file to the guest's root. Below STAGE1_SCRATCH it is removed before the guest's init
 * starts.
 */
#define STAGE1_SCRATCH "/run/mvm"
struct stage1_file {
	const char *target; /* absolute, in the guest's final root */
	const char *source; /* a file on this machine */
	mode_t mode;
};

/* Creates a symbolic link; an existing one is kept. */
struct stage1_link {
	const char *target; /* absolute, in the guest's final root */
	const char *path;   /* the link's contents */
};

/*
 * Runs an embedded program for the guest's architecture ("mvm-nix-db"); the boot fails unless it
 * exits with status 0.
 */
struct stage1_run {
	const char *program;
	const struct strings *arguments; /* without the program's name */
};

enum stage1_kind {
	STAGE1_VERITY,
	STAGE1_MOUNT,
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
		struct stage1_directory directory;
		struct stage1_file file;
		struct stage1_link link;
		struct stage1_run run;
	};
};

struct stage1_steps {
	struct stage1_step *v;
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
	struct stage1_steps steps;         /* executed in this order */
	uint32_t time;                     /* of every entry, in seconds since 1970 */
	struct gzip_memo *memo;            /* of compressed pieces; NULL: none */
};

struct stage1_result {
	uint64_t bytes; /* of the initramfs */
};

/*
 * Whether a program for guests of this architecture is embedded: the first stage itself, or one
 * that a step runs.
 */
#define STAGE1_INIT "mvm-init"
bool stage1_has_program(const char *name, enum kernel_arch arch);

/*
 * The guest's first stage reads parameters from the kernel command line, such as mvm.debug=1:
 * imaging/guest/init/parameters.h. On failure there is no output.
 */
bool stage1_write(struct arena *arena, struct diag *diag, const struct stage1_request *request,
	struct stage1_result *result);

#endif
