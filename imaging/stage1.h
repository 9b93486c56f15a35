/* SPDX-License-Identifier: MIT */
/* stage1: the initramfs that mounts the guest's file systems and hands over to its init. */
#ifndef MVM_STAGE1_H
#define MVM_STAGE1_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler/base/arena.h"
#include "compiler/base/diag.h"
#include "imaging/kernel.h"
#include "imaging/modules.h"

enum stage1_source {
	STAGE1_DISK_SERIAL, /* the virtio or NVMe disk with this serial number; virtio disks keep only the first 20 bytes of one */
	STAGE1_NAME,        /* given to mount(2) as it is: a tag, "tmpfs", a path in the guest; a path below /dev/ is waited for */
};

struct stage1_mount {
	enum stage1_source source_kind;
	const char *source;
	const char *target;  /* absolute, in the guest's final root; made if missing. "/": instead of the tmpfs */
	const char *type;    /* file system */
	const char *options; /* as for mount(8) ("noatime,discard"); may be ""; paths in them are the guest's, and an overlay's are made */
	bool read_only;
};

/* A file put into the guest's root before the hand-over. */
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

struct stage1_request {
	enum kernel_arch arch; /* of the guest */
	const char *output; /* the initramfs to create (newc cpio, gzip); must not exist */
	const char *init;   /* absolute path in the guest: TOPLEVEL/init */
	bool nixos;         /* make /etc/NIXOS and what NixOS's second stage expects */
	const char *root_options; /* of the tmpfs that is the guest's root: "mode=0755,size=50%" */
	const struct module_list *modules; /* not NULL */
	const struct stage1_mount *mounts; /* in order */
	size_t nmounts;
	const struct stage1_file *files;
	size_t nfiles;
	const struct stage1_link *links;
	size_t nlinks;
	uint32_t time; /* seconds since 1970 of every entry */
};

struct stage1_result {
	uint64_t bytes;     /* of the initramfs */
};

/* Whether this program carries a first stage for guests of an architecture. */
bool stage1_has_program(enum kernel_arch arch);

/* What the guest's part obeys on the kernel command line (mvm.debug=1 and others): stage1/parameters.h. On failure there is no output. */
bool stage1_write(struct arena *arena, struct diag *diag, const struct stage1_request *request, struct stage1_result *result);

#endif
