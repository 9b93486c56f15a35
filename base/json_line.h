/* SPDX-License-Identifier: MIT */
/* json_line: JSON objects as single lines, for programs that read messages and events. */
#ifndef MVM_BASE_JSON_LINE_H
#define MVM_BASE_JSON_LINE_H

#include <stdio.h>

struct json_object;

/* A string. JSON must be UTF-8, but a path may contain any bytes: invalid ones become U+FFFD. */
struct json_object *json_line_text(const char *text);
/* Prints the object on one line and releases it. */
void json_line_print(FILE *out, struct json_object *object);

#endif
