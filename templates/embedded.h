/* SPDX-License-Identifier: MIT */
/*
 * embedded: files that are embedded in the program, by their names in the source tree
 * ("runner/microvm-run.sh", "mvm-init").
 */
#ifndef MVM_TEMPLATES_EMBEDDED_H
#define MVM_TEMPLATES_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
	const char *name; /* NULL ends the table */
	const char *begin, *end;
};
extern const struct embedded_file embedded_files[];

/* SHA-256, in hex digits, of the files that become part of runners. */
extern const char embedded_digest[];

#endif
