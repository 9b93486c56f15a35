/* SPDX-License-Identifier: MIT */
/* stage1: the initramfs that mounts the guest's file systems and hands over to its init. */
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
	 * the virtio or NVMe disk with this serial number; virtio disks keep only the first 20
	 * bytes of one
	 */
	STAGE1_DISK_SERIAL,
	STAGE1_NAME, /* given to mount(2) as it is: a tag, "tmpfs", a path in the guest; a path
			below /dev/ is waited for */
};

/*
 * A disk whose blocks are compared with the hash tree behind them as they are read; it can then be
 * mounted as STAGE1_MAPPED NAME.
 */
#define STAGE1_MAPPED "/dev/mapper/"
struct stage1_verity {
	enum stage1_source source_kind; /* a disk, or a path below /dev/ */
	const char *source;
	const char *name; /* of at most 63 bytes, without a slash */
	struct verity verity;
};

struct stage1_mount {
	enum stage1_source source_kind;
	const char *source;
	const char *target; /* absolute, in the guest's final root; made if missing. "/": instead of
			       the tmpfs */
	const char *type;   /* file system */
	const char *options; /* as for mount(8) ("noatime,discard"); may be ""; paths in them are
				the guest's */
	bool read_only;
	/*
	 * Identity of the disk at a `source` below /dev/: "uuid:…" or "label:…", as
	 * imaging/guest/init/plan.h has it. NULL: whatever disk is there is the right one.
	 */
	const char *identity;
	bool grows;        /* xfs or btrfs: its disk may have become larger */
	const char *image; /* the host's name of it, for messages; NULL: it is no volume */
	const char *label; /* of the file system; NULL: it has none that is known */
};

/* A directory. One that is there already gets the mode and the owner. */
struct stage1_directory {
	const char *target; /* absolute, in the guest's final root */
	mode_t mode;
	uid_t owner;
	gid_t group;
};

/*
 * A file put into the guest's root. Below STAGE1_SCRATCH it is gone when the guest's init starts.
 */
#define STAGE1_SCRATCH "/run/mvm"
struct stage1_file {
	const char *target; /* absolute, in the guest's final root */
	const char *source; /* a file on this machine */
	mode_t mode;
};

/* A symbolic link, likewise. One that is there already stays. */
struct stage1_link {
	const char *target; /* absolute, in the guest's final root */
	const char *path;   /* what it points to */
};

/*
 * A program of the guest's architecture that this program carries ("mvm-nix-db"); it must end with
 * status 0.
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
	enum kernel_arch arch;    /* of the guest */
	const char *output;       /* the initramfs to create (newc cpio, gzip); must not exist */
	const char *init;         /* absolute path in the guest: TOPLEVEL/init */
	bool nixos;               /* make /etc/NIXOS and what NixOS's second stage expects */
	const char *root_options; /* of the tmpfs that is the guest's root: "mode=0755,size=50%" */
	const struct module_list *modules; /* not NULL */
	struct stage1_steps steps;         /* done in this order */
	uint32_t time;                     /* seconds since 1970 of every entry */
	struct gzip_memo *memo;            /* of the initramfs's pieces; NULL: none */
};

struct stage1_result {
	uint64_t bytes; /* of the initramfs */
};

/*
 * Whether this program carries a program for guests of an architecture: the first stage itself, or
 * one to be run.
 */
#define STAGE1_INIT "mvm-init"
bool stage1_has_program(const char *name, enum kernel_arch arch);

/*
 * The guest's part obeys parameters of the kernel command line, such as mvm.debug=1:
 * imaging/guest/init/parameters.h. On failure there is no output.
 */
bool stage1_write(struct arena *arena, struct diag *diag, const struct stage1_request *request,
	struct stage1_result *result);

#endif
