/* SPDX-License-Identifier: MIT */
/* kernel: identifies a kernel file by its content. */
#ifndef MVM_IMAGING_KERNEL_KERNEL_H
#define MVM_IMAGING_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

struct arena;

enum kernel_format { KERNEL_BZIMAGE, KERNEL_ELF, KERNEL_ARM64_IMAGE, KERNEL_ARM64_IMAGE_GZ };
enum kernel_arch { KERNEL_X86_64, KERNEL_AARCH64 };
/* The architecture that this program is built for. */
#if defined __aarch64__
#define KERNEL_HOST_ARCH KERNEL_AARCH64
#else
#define KERNEL_HOST_ARCH KERNEL_X86_64
#endif

struct kernel {
	const char *path; /* the file itself, with symbolic links as given */
	enum kernel_format format;
	enum kernel_arch arch;
	const char *version; /* "6.1.0-56-amd64"; NULL if the file does not have one */
	bool pvh;            /* ELF with a PVH entry note */
	uint64_t end;        /* its end in memory, in bytes from the start of memory; 0: unknown */
};

const char *kernel_format_name(enum kernel_format format);
const char *kernel_arch_name(enum kernel_arch arch); /* "x86_64", "aarch64" */

/*
 * `path` is a kernel, or a directory with one (a kernel package: one of bzImage, Image, Image.gz,
 * vmlinux, vmlinuz*, boot/vmlinuz-*). Errors are STATUS_INPUT at `where`.
 */
bool kernel_inspect(struct arena *arena, struct diag *diag, const char *path,
	const struct pos *where, struct kernel *out);

#endif
