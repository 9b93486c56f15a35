/* SPDX-License-Identifier: MIT */
/*
 * option: one row of a table of options. Reading, defaults, schema and reference come from the
 * tables: compiler/describe/options.c has those of descriptions, each backend has its own, and
 * compiler/fleet/options.c has those of host files.
 */
#ifndef MVM_BACKENDS_INTERFACE_OPTION_H
#define MVM_BACKENDS_INTERFACE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
	OPTION_STRING,
	OPTION_BOOL,
	OPTION_INT,  /* int64_t; -1 is "not given" where there is no default */
	OPTION_UINT, /* uint64_t */
	OPTION_MIB,  /* uint64_t MiB; a number, or a text such as "2G", "512MiB" */
	/*
	 * An enum whose values are the indices in `choices`, stored as gcc and clang do: unsigned.
	 * Not given, and without a default, it has the index of the NULL at their end.
	 */
	OPTION_ENUM,
	OPTION_STRINGS, /* struct strings */
	OPTION_PAIRS,   /* struct pairs: a map of texts */
	OPTION_BACKEND, /* const struct backend *: the name of a hypervisor, one of `choices` */
	OPTION_TREE,    /* const struct node *: any value */
	OPTION_GROUP,   /* options of their own; see `stride` for where their fields are */
	OPTION_LIST,    /* a list of elements with options of their own */
	OPTION_MAP,     /* the same by names: a map */
	OPTION_NONE,    /* nothing is stored */
};

enum option_state {
	OPTION_READY,
	OPTION_GENERATED, /* the reference generates or evaluates it; ignored with a note */
	OPTION_REMOVED,   /* `doc` says what to use instead */
};

struct option {
	const char *name;
	enum option_kind kind;
	enum option_state state;
	size_t offset;       /* of the field in the struct that the table describes */
	size_t count_offset; /* OPTION_LIST, OPTION_MAP: of the number of elements */
	/*
	 * OPTION_LIST, OPTION_MAP: the size of one element. OPTION_GROUP: 0 when `sub` describes
	 * the same struct as this table; else the size of another struct, to which the field
	 * points.
	 */
	size_t stride;
	size_t name_offset;         /* OPTION_MAP: of an element's name in it */
	const char *def;            /* default, in the words of a description; NULL: none */
	const char *def_doc;        /* how a default is found that depends on other options */
	const char *arg;            /* what a value is, for people: "MiB" */
	const char *const *choices; /* OPTION_ENUM, OPTION_BACKEND; ends with NULL */
	int64_t minimum, maximum;   /* numbers; 0, 0: the kind's own limits */
	bool required;              /* an element without it is an error */
	bool code;                  /* its value is a program, by meaning */
	/* OPTION_GROUP: the reference puts a path that it generates here; ignored with a note */
	bool generated_scalar;
	/* OPTION_GROUP, OPTION_LIST, OPTION_MAP: ends with a row without name */
	const struct option *sub;
	const char *doc;
};

#endif
