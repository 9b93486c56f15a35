/* SPDX-License-Identifier: MIT */
/*
 * parameters: single parameters of a kernel command line, by the kernel's rules (lib/cmdline.c,
 * next_arg; kernel/params.c, parse_args).
 */
#ifndef MVM_IMAGING_KERNEL_PARAMETERS_H
#define MVM_IMAGING_KERNEL_PARAMETERS_H

#include <stdbool.h>

#include "base/arena.h"

/* Returns why a text cannot be passed as one parameter, as a clause; NULL if it can. */
const char *parameter_problem(const char *text);
/*
 * Quotes a parameter that has blanks for the command line; parameter_problem must have accepted it.
 */
const char *parameter_quoted(struct arena *arena, const char *text);
/* Returns the value of NAME=VALUE without its quotes; NULL for another parameter. */
const char *parameter_value(struct arena *arena, const char *text, const char *name);
/* Appends the parameters of a command line. */
void parameters_split(struct arena *arena, const char *line, struct strings *list);
/*
 * Appends the parameters of an element of NixOS's boot.kernelParams, which is joined with the
 * others by blanks. Line breaks stay in them, for parameter_problem.
 */
void parameters_split_element(struct arena *arena, const char *text, struct strings *list);

#endif
