/* SPDX-License-Identifier: MIT */
/* terminal: capabilities of a descriptor that may be a terminal. */
#ifndef MVM_BASE_TERMINAL_H
#define MVM_BASE_TERMINAL_H

#include <stdbool.h>

/*
 * Whether to print in colours: on a terminal, unless it is a dumb one; $NO_COLOR forbids it
 * (https://no-color.org), $CLICOLOR_FORCE demands it (https://bixense.com/clicolors).
 */
bool terminal_has_colours(int fd);
/* Whether a line can be rewritten in place. */
bool terminal_can_rewrite(int fd);
/* Columns; 80 if that is unknown. */
unsigned terminal_width(int fd);

#endif
