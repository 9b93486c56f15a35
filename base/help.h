/* SPDX-License-Identifier: MIT */
/* help: prints the tables of a command line, and text, within 80 columns. */
#ifndef MVM_BASE_HELP_H
#define MVM_BASE_HELP_H

#include <stddef.h>
#include <stdio.h>

struct argument_row;
struct argument_table;

/* "  --jobs N    number of threads", with the text in a column of its own. */
void help_item(FILE *out, const char *head, const char *text);
/* Prints a paragraph. */
void help_text(FILE *out, const char *text);
/* "  -o, --output PATH    build the runner at PATH" */
void help_option(FILE *out, const struct argument_row *row, const char *doc);
/*
 * Lists the commands that have a description; with a group ("cache"), only its commands, without
 * the group's name.
 */
void help_commands(FILE *out, const struct argument_table *table, const char *group);
/* Prints the usage, the description and the options of one command. */
void help_command(FILE *out, const struct argument_table *table, size_t command);
/* Lists the options that all commands have. */
void help_common_options(FILE *out, const struct argument_table *table);
/* Lists all options, each with the commands that have it. */
void help_all_options(FILE *out, const struct argument_table *table);

#endif
