/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 7 };

static bool is_octal(const char *digits)
{
	for (int i = 0; i < 3; i++)
		if (digits[i] < '0' || digits[i] > '7')
			return false;
	return true;
}

/* Decodes in place; false at a bad escape. */
static bool decode(char *field)
{
	char *to = field;
	if (strcmp(field, "-") == 0)
		*field = '\0';
	for (const char *from = field; *from;) {
		if (*from != '\\') {
			*to++ = *from++;
			continue;
		}
		if (!is_octal(from + 1))
			return false;
		*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
		from += 4;
	}
	*to = '\0';
	return true;
}

/* Splits a line at its blanks; 0 when there are too many fields or a bad one. */
static size_t split(char *line, char *fields[MAX_FIELDS])
{
	size_t n = 0;
	for (char *rest = line; rest;) {
		if (n == MAX_FIELDS)
			return 0;
		char *field = strsep(&rest, " ");
		if (*field == '\0' || !decode(field))
			return 0;
		fields[n++] = field;
	}
	return n;
}

static bool word_is(const char *word, const char *yes, const char *no, bool *out)
{
	*out = strcmp(word, yes) == 0;
	return *out || strcmp(word, no) == 0;
}

static bool add_module(struct plan *plan, char **fields)
{
	struct plan_module *module = &plan->modules[plan->nmodules++];
	*module = (struct plan_module){.file = fields[1], .name = fields[2]};
	return word_is(fields[3], "may-fail", "needed", &module->may_fail);
}

static bool add_mount(struct plan *plan, char **fields)
{
	struct plan_mount *mount = &plan->mounts[plan->nmounts++];
	*mount = (struct plan_mount){.source = fields[2], .target = fields[3], .type = fields[4], .options = fields[6]};
	return fields[3][0] == '/' && word_is(fields[1], "disk", "name", &mount->is_disk) &&
	       word_is(fields[5], "ro", "rw", &mount->read_only);
}

static bool add_file(struct plan *plan, char **fields)
{
	char *end;
	plan->files[plan->nfiles++] = (struct plan_file){fields[1], fields[2], (unsigned)strtoul(fields[3], &end, 8)};
	return fields[2][0] == '/' && *fields[3] && *end == '\0';
}

static bool add_link(struct plan *plan, char **fields)
{
	plan->links[plan->nlinks++] = (struct plan_link){fields[1], fields[2]};
	return *fields[1] && fields[2][0] == '/';
}

static bool set_init(struct plan *plan, char **fields)
{
	plan->init = fields[1];
	return fields[1][0] == '/';
}

static bool set_root(struct plan *plan, char **fields)
{
	plan->root_options = fields[1];
	return true;
}

static bool set_nixos(struct plan *plan, char **fields)
{
	(void)fields;
	plan->nixos = true;
	return true;
}

static const struct keyword {
	const char *name;
	size_t fields; /* the keyword included */
	bool (*read)(struct plan *plan, char **fields);
} keywords[] = {
	{"init", 2, set_init}, {"root", 2, set_root}, {"nixos", 1, set_nixos},
	{"module", 4, add_module}, {"mount", 7, add_mount}, {"file", 4, add_file},
	{"link", 3, add_link},
};

static bool read_line(struct plan *plan, char *line)
{
	char *fields[MAX_FIELDS];
	size_t n = split(line, fields);
	for (size_t i = 0; n && i < sizeof keywords / sizeof *keywords; i++)
		if (strcmp(fields[0], keywords[i].name) == 0)
			return n == keywords[i].fields && keywords[i].read(plan, fields);
	return false;
}

static size_t count_lines(const char *text)
{
	size_t lines = 1;
	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

unsigned plan_parse(char *text, struct plan *plan)
{
	size_t lines = count_lines(text);
	*plan = (struct plan){
		.modules = calloc(lines, sizeof *plan->modules),
		.mounts = calloc(lines, sizeof *plan->mounts),
		.files = calloc(lines, sizeof *plan->files),
		.links = calloc(lines, sizeof *plan->links),
	};
	if (!plan->modules || !plan->mounts || !plan->files || !plan->links)
		abort();
	unsigned number = 1;
	char *line = strsep(&text, "\n");
	if (strcmp(line, PLAN_VERSION) != 0)
		return number;
	while ((line = strsep(&text, "\n"))) {
		number++;
		/* Text ends with its last line's end. */
		if (*line == '\0' && !text)
			break;
		if (!read_line(plan, line))
			return number;
	}
	return plan->init && plan->root_options ? 0 : number;
}
