/* SPDX-License-Identifier: MIT */
/*
 * docgen: documents that are generated from the option table and from the backends' capabilities.
 */
#ifndef MVM_COMPILER_COMMAND_DOCGEN_H
#define MVM_COMPILER_COMMAND_DOCGEN_H

#include <stdio.h>

#include "backends/interface/option.h"
#include "base/arena.h"

/* The option reference and the table of hypervisors, in Markdown. */
void docgen_options(struct arena *arena, FILE *out);
/* The option reference of host files. */
void docgen_fleet_options(FILE *out);

/* "list of maps"; NULL for an option with choices. */
const char *docgen_kind_name(const struct option *option);
/* "path, relative to the description"; NULL if there is nothing to add to the kind. */
const char *docgen_argument(const struct option *option);

#endif
