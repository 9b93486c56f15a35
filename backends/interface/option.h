/* SPDX-License-Identifier: MIT */
/*
 * option: one row of a table of options. The parser, defaults, schema and reference are driven by
 * these tables: compiler/describe/options.c has those of descriptions, each backend its own, and
 * compiler/fleet/options.c those of host files.
 */
#ifndef MVM_BACKENDS_INTERFACE_OPTION_H
#define MVM_BACKENDS_INTERFACE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/interface/shapes.h"

enum option_kind {
	OPTION_STRING,
	OPTION_BOOL,
	OPTION_INT,  /* int64_t; without a default, -1 means "not given" */
	OPTION_UINT, /* uint64_t */
	OPTION_MIB,  /* uint64_t MiB; a number, or a string such as "2G", "512MiB" */
	/*
	 * An enum whose values are the indices of `choices`, stored as gcc and clang do: unsigned.
	 * Not given, and without a default, it is the index of the NULL at their end.
	 */
	OPTION_ENUM,
	OPTION_STRINGS, /* struct strings */
	OPTION_PAIRS,   /* struct pairs: a map of strings */
	OPTION_BACKEND, /* const struct backend *: the name of a hypervisor, one of `choices` */
	OPTION_TREE,    /* const struct node *: any value */
	OPTION_GROUP,   /* a map of options; see `stride` for where their fields are */
	OPTION_LIST,    /* a list of structs, each with its own options */
	OPTION_MAP,     /* a map of names to such structs */
	OPTION_NONE,    /* nothing is stored */
};

enum option_state {
	OPTION_READY,
	OPTION_GENERATED, /* generated or evaluated by microvm.nix; ignored with a note */
	OPTION_REMOVED,   /* `doc` names the replacement */
};

/* The directory that a relative path is relative to. */
enum path_base {
	PATH_OTHER,      /* none: the path is absolute, or in the guest */
	PATH_FROM_FILE,  /* the directory of the file that contains it */
	PATH_FROM_STATE, /* the VM's state directory, where the VM runs */
};

struct option {
	const char *name;
	enum option_kind kind;
	enum option_state state;
	size_t offset;       /* of the field, in the struct that the table fills */
	size_t count_offset; /* OPTION_LIST, OPTION_MAP: offset of the number of elements */
	/*
	 * OPTION_LIST, OPTION_MAP: the size of an element. OPTION_GROUP: 0 if `sub` describes the
	 * same struct as this table; otherwise the size of another struct, to which the field
	 * points.
	 */
	size_t stride;
	size_t name_offset;         /* OPTION_MAP: of the name in an element */
	const char *def;            /* default, as a description would write it; NULL: none */
	const char *def_doc;        /* describes a default that depends on other options */
	const char *example;        /* for documentation, as a description would write it */
	const char *arg;            /* kind of value, for people: "MiB" */
	enum path_base base;        /* of a path */
	const char *const *choices; /* OPTION_ENUM, OPTION_BACKEND; ends with NULL */
	int64_t minimum, maximum;   /* numbers; 0, 0: the kind's own limits */
	/*
	 * The syntax of an OPTION_STRING, of each string of OPTION_STRINGS, or of the names of
	 * OPTION_PAIRS; NULL: any
	 */
	const struct shape *shape;
	size_t longest;     /* most bytes of such a text; 0: as many as a path or an argument has */
	bool required;      /* it must be given in every element */
	const char *unless; /* a sibling option; if that is given, this one is not required */
	bool code;    /* the value is a program, not an argument, so its length is not limited */
	bool package; /* a directory such as a package of Nix, which may stand for it there */
	/* OPTION_GROUP: microvm.nix may put a generated path here; it is ignored with a note */
	bool generated_scalar;
	/*
	 * OPTION_GROUP, OPTION_LIST, OPTION_MAP: the table of their options, which ends with a row
	 * without name
	 */
	const struct option *sub;
	const char *doc;
};

#endif
