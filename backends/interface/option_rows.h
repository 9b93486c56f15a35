/* SPDX-License-Identifier: MIT */
/* option_rows: macros for the rows of option tables. */
#ifndef MVM_BACKENDS_INTERFACE_OPTION_ROWS_H
#define MVM_BACKENDS_INTERFACE_OPTION_ROWS_H

#include "backends/interface/option.h"
#include "backends/interface/vm.h"

/* The offset of a field, refused by the compiler unless the field has type T. */
#define OFFSET(S, f, T) \
	(offsetof(S, f) + 0 * sizeof(char[_Generic(((S *)0)->f, T : 1, default : -1)]))

#define STRING(S, f) .kind = OPTION_STRING, .offset = OFFSET(S, f, const char *)
#define BOOL(S, f) .kind = OPTION_BOOL, .offset = OFFSET(S, f, bool)
#define INT(S, f, lo, hi) \
	.kind = OPTION_INT, .offset = OFFSET(S, f, int64_t), .minimum = (lo), .maximum = (hi)
#define UINT(S, f, lo, hi) \
	.kind = OPTION_UINT, .offset = OFFSET(S, f, uint64_t), .minimum = (lo), .maximum = (hi)
#define MIB(S, f, lo) \
	.kind = OPTION_MIB, .arg = "MiB", .offset = OFFSET(S, f, uint64_t), .minimum = (lo), \
	.maximum = MAXIMUM_MIB
/* `T` is an enum of backends/interface/choices.h, where T_names is declared too. */
#define ENUM(S, f, T) .kind = OPTION_ENUM, .offset = OFFSET(S, f, enum T), .choices = T##_names
/* vm_options sets `choices` to the names in the registry */
#define BACKEND(S, f) .kind = OPTION_BACKEND, .offset = OFFSET(S, f, const struct backend *)
#define STRINGS(S, f) .kind = OPTION_STRINGS, .offset = OFFSET(S, f, struct strings)
#define PAIRS(S, f) .kind = OPTION_PAIRS, .offset = OFFSET(S, f, struct pairs)
#define TREE(S, f) .kind = OPTION_TREE, .offset = OFFSET(S, f, const struct node *)
#define LIST(S, f, T, t) \
	.kind = OPTION_LIST, .offset = OFFSET(S, f.v, T *), \
	.count_offset = OFFSET(S, f.n, size_t), .stride = sizeof(T), .sub = (t)
#define MAP(S, f, T, t) \
	.kind = OPTION_MAP, .offset = OFFSET(S, f.v, T *), .count_offset = OFFSET(S, f.n, size_t), \
	.stride = sizeof(T), .name_offset = OFFSET(T, name, const char *), .sub = (t)
/* Rows of a group name fields of the whole struct, so a group has no offset of its own. */
#define GROUP(t) .kind = OPTION_GROUP, .sub = (t)
#define GENERATED .kind = OPTION_NONE, .state = OPTION_GENERATED

/*
 * 16 TiB: the limit of an ext4 file system with 4 KiB blocks, and more memory than any hypervisor
 * supports.
 */
#define MAXIMUM_MIB (16LL * 1024 * 1024)

/* The rows for `struct hypervisor_options`, the first member of a backend's own structure. */
#define PACKAGE(program) \
	{ \
		.name = "package", STRING(struct hypervisor_options, package), .arg = "path", \
		.package = true, \
		.doc = "Directory that contains bin/" program "; null: search PATH." \
	}
#define VERSION(program) \
	{ \
		.name = "version", STRING(struct hypervisor_options, version), \
		.shape = &shape_version, .def_doc = "the current version", \
		.doc = "Version of " program " that the runner is for, such as 51 or 9.1." \
	}
#define EXTRA_ARGS(program) \
	{ \
		.name = "extraArgs", STRINGS(struct hypervisor_options, extra_args), \
		.doc = "Further arguments for " program ", after mvmbuild's own." \
	}

#endif
