/* SPDX-License-Identifier: MIT */
/*
 * parameters: single parameters of a kernel's command line, by the kernel's rules (lib/cmdline.c,
 * next_arg; kernel/params.c, parse_args).
 */
#ifndef MVM_IMAGING_KERNEL_PARAMETERS_H
#define MVM_IMAGING_KERNEL_PARAMETERS_H

#include <stdbool.h>

#include "base/arena.h"

/* Why a text cannot be passed as one parameter, such as "a control character"; NULL: it can. */
const char *parameter_problem(const char *text);
/* As it stands in the command line: in quotes where it has blanks. Of a text without a problem. */
const char *parameter_quoted(struct arena *arena, const char *text);
/* The value of NAME=VALUE without its quotes; NULL: it is another parameter. */
const char *parameter_value(struct arena *arena, const char *text, const char *name);
/* The parameters of a command line. */
void parameters_split(struct arena *arena, const char *line, struct strings *list);

#endif
