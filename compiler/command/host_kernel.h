/* SPDX-License-Identifier: MIT */
/* host_kernel: finds a kernel of this machine that a guest can use, for `mvmbuild init`. */
#ifndef MVM_COMPILER_COMMAND_HOST_KERNEL_H
#define MVM_COMPILER_COMMAND_HOST_KERNEL_H

#include "base/arena.h"

struct host_kernel {
	const char *path;       /* NULL if there is none that this user can read */
	const char *unreadable; /* the first one that this user cannot read; NULL if none */
};

/*
 * Looks for ROOT/boot/vmlinuz-VERSION (Debian, Fedora, openSUSE) and
 * ROOT/lib/modules/VERSION/vmlinuz (Fedora, Arch Linux) of each VERSION whose modules are
 * installed: first of `release`, the running kernel, then of the others, newest first.
 */
struct host_kernel host_kernel_find(struct arena *arena, const char *root, const char *release);

#endif
