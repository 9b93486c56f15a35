/* SPDX-License-Identifier: MIT */
#include "imaging/guest/init/plan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

/* leaves room for the hash tree */
#define BLOCKS_MAX ((uint64_t)INT64_MAX / VERITY_BLOCK / 2 - 1)

static bool is_octal(const char *digits)
{
	for (int i = 0; i < 3; i++)
		if (digits[i] < '0' || digits[i] > '7')
			return false;
	return true;
}

/* Decodes escapes in place; false if one is invalid. */
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

/* Splits a line at its blanks into `fields`, followed by NULL; returns 0 if a field is invalid. */
static size_t split(char *line, char **fields)
{
	size_t n = 0;
	for (char *rest = line; rest;) {
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

static bool number_is(const char *digits, unsigned base, unsigned *out)
{
	uint64_t number = 0;
	bool ok = number_parse_base(digits, base, 0, UINT_MAX, &number);
	*out = (unsigned)number;
	return ok;
}

static bool add_module(struct init_plan *plan, char **fields)
{
	struct plan_module *module = &plan->modules[plan->nmodules++];
	*module = (struct plan_module){.file = fields[1], .name = fields[2]};
	return word_is(fields[3], "may-fail", "needed", &module->may_fail);
}

static struct stage1_step *add_step(struct init_plan *plan, enum stage1_kind kind)
{
	struct stage1_step *step = &plan->steps[plan->nsteps++];
	step->kind = kind;
	return step;
}

static bool add_verity(struct init_plan *plan, char **fields)
{
	struct stage1_verity *verity = &add_step(plan, STAGE1_VERITY)->verity;
	verity->source = fields[2];
	verity->name = fields[3];
	return *verity->name && strlen(verity->name) < STAGE1_VERITY_NAME_BYTES &&
		!strchr(verity->name, '/') &&
		number_parse(fields[4], 1, BLOCKS_MAX, &verity->blocks) &&
		hex_parse(fields[5], verity->root, VERITY_HASH_BYTES) &&
		word_is(fields[1], "disk", "name", &verity->is_disk);
}

static bool add_mount(struct init_plan *plan, char **fields)
{
	struct stage1_mount *mount = &add_step(plan, STAGE1_MOUNT)->mount;
	*mount = (struct stage1_mount){.source = fields[2],
		.target = fields[3],
		.type = fields[4],
		.options = fields[6],
		.identity = fields[7],
		.image = fields[8]};
	return fields[3][0] == '/' &&
		(!*fields[7] || strncmp(fields[7], "uuid:", 5) == 0 ||
			strncmp(fields[7], "label:", 6) == 0) &&
		word_is(fields[1], "disk", "name", &mount->is_disk) &&
		word_is(fields[5], "ro", "rw", &mount->read_only);
}

static bool add_directory(struct init_plan *plan, char **fields)
{
	struct stage1_directory *directory = &add_step(plan, STAGE1_DIRECTORY)->directory;
	directory->target = fields[1];
	return fields[1][0] == '/' && number_is(fields[2], 8, &directory->mode) &&
		number_is(fields[3], 10, &directory->owner) &&
		number_is(fields[4], 10, &directory->group);
}

static bool add_file(struct init_plan *plan, char **fields)
{
	struct stage1_file *file = &add_step(plan, STAGE1_FILE)->file;
	file->file = fields[1];
	file->target = fields[2];
	return fields[2][0] == '/' && number_is(fields[3], 8, &file->mode);
}

static bool add_link(struct init_plan *plan, char **fields)
{
	add_step(plan, STAGE1_LINK)->link = (struct stage1_link){fields[1], fields[2]};
	return *fields[1] && fields[2][0] == '/';
}

static bool add_grow(struct init_plan *plan, char **fields)
{
	add_step(plan, STAGE1_GROW)->grow.target = fields[1];
	return fields[1][0] == '/';
}

static bool add_run(struct init_plan *plan, char **fields)
{
	add_step(plan, STAGE1_RUN)->run =
		(struct stage1_run){fields[1], (const char *const *)(fields + 2)};
	return *fields[1];
}

static bool set_init(struct init_plan *plan, char **fields)
{
	plan->init = fields[1];
	return fields[1][0] == '/';
}

static bool set_root(struct init_plan *plan, char **fields)
{
	plan->root_options = fields[1];
	return true;
}

static bool set_nixos(struct init_plan *plan, char **fields)
{
	(void)fields;
	plan->nixos = true;
	return true;
}

static const struct keyword {
	const char *name;
	size_t fields; /* including the keyword; for `run` the minimum */
	bool (*read)(struct init_plan *plan, char **fields);
} keywords[] = {
	{"init", 2, set_init},
	{"root", 2, set_root},
	{"nixos", 1, set_nixos},
	{"module", 4, add_module},
	{"verity", 6, add_verity},
	{"mount", 9, add_mount},
	{"directory", 5, add_directory},
	{"file", 4, add_file},
	{"link", 3, add_link},
	{"grow", 2, add_grow},
	{"run", 3, add_run},
};

static bool read_line(struct init_plan *plan, char *line, char **fields, size_t *used)
{
	size_t n = split(line, fields);
	*used = n + 1;
	for (size_t i = 0; n && i < sizeof keywords / sizeof *keywords; i++) {
		if (strcmp(fields[0], keywords[i].name) != 0)
			continue;
		bool fits = keywords[i].read == add_run ? n >= keywords[i].fields
							: n == keywords[i].fields;
		return fits && keywords[i].read(plan, fields);
	}
	return false;
}

static size_t count_bytes(const char *text, char byte)
{
	size_t count = 0;
	for (; *text; text++)
		count += *text == byte;
	return count;
}

/*
 * Allocates the maximum that the text can need: a line has one field more than blanks, and a NULL.
 */
static void plan_allocate(const char *text, struct init_plan *plan)
{
	size_t lines = count_bytes(text, '\n') + 1;
	*plan = (struct init_plan){
		.modules = calloc(lines, sizeof *plan->modules),
		.steps = calloc(lines, sizeof *plan->steps),
		.words = calloc(count_bytes(text, ' ') + 2 * lines, sizeof *plan->words),
	};
	if (!plan->modules || !plan->steps || !plan->words)
		abort();
}

unsigned plan_parse(char *text, struct init_plan *plan)
{
	plan_allocate(text, plan);
	unsigned number = 1;
	char **words = plan->words, *line = strsep(&text, "\n");
	if (strcmp(line, PLAN_VERSION) != 0)
		return number;
	while ((line = strsep(&text, "\n"))) {
		number++;
		/* The text after the last newline is empty. */
		if (*line == '\0' && !text)
			break;
		size_t used;
		if (!read_line(plan, line, words, &used))
			return number;
		words += used;
	}
	return plan->init && plan->root_options ? 0 : number;
}
