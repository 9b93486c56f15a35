/* SPDX-License-Identifier: MIT */
/*
 * shapes: the syntax of options that are texts. An option's row names its shape; the binder refuses
 * other texts, and the JSON Schema has the shape's pattern.
 */
#ifndef MVM_BACKENDS_INTERFACE_SHAPES_H
#define MVM_BACKENDS_INTERFACE_SHAPES_H

#include <stdbool.h>

#include "base/diag.h"

struct shape {
	enum status status; /* of the error */
	const char *code;
	bool (*fits)(const char *text);
	/*
	 * a regular expression that every fitting text matches, in the syntax that JSON Schema
	 * (ECMA-262) and POSIX extended regular expressions share
	 */
	const char *pattern;
	const char *expected; /* completes "is not" */
	const char *shorter;  /* advice for a text that is too long; NULL: none */
};

extern const struct shape shape_name; /* becomes a part of file names and arguments */
extern const struct shape shape_mac;
extern const struct shape shape_uuid;
extern const struct shape shape_version;
extern const struct shape shape_serial;
extern const struct shape shape_fs_type;
extern const struct shape shape_qemu_id;
extern const struct shape shape_ipv4;        /* or empty */
extern const struct shape shape_path;        /* of the host, relative or absolute */
extern const struct shape shape_absolute;    /* of the host */
extern const struct shape shape_search_path; /* an element of PATH */
extern const struct shape shape_socket;
extern const struct shape shape_mount_point;
extern const struct shape shape_store_dir;
extern const struct shape shape_overlay; /* a directory in the options of an overlay */
extern const struct shape shape_share_tag;
extern const struct shape shape_threads;
extern const struct shape shape_cpu_model;
extern const struct shape shape_window; /* a power of two, as QEMU takes it */

#endif
