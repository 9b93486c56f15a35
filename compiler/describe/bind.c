/* SPDX-License-Identifier: MIT */
#include "compiler/describe/bind.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/interface/backend.h"
#include "backends/interface/positions.h"
#include "compiler/describe/hint.h"
#include "compiler/describe/options.h"

struct binder {
	struct arena *arena;
	struct diag *diag;
	struct places *places;
	const struct option *top; /* the whole table */
	const char *may_lack;     /* a required option that may be missing; NULL: none */
	bool defaults;            /* binding the table's own defaults, which have no positions */
};

/* The option being bound, its struct, and its name as a user writes it. */
struct target {
	const struct option *option;
	char *base;            /* the struct that the table describes */
	const char *path;      /* "volumes[1].size" */
	const struct pos *key; /* where the name was written */
};

static void *field_of(const struct target *target)
{
	return target->base + target->option->offset;
}

/* The struct that the table of a group describes; NULL before its defaults are set. */
static char *group_base(const struct option *group, char *base)
{
	return group->stride ? *(char **)(void *)(base + group->offset) : base;
}

/* Reports a value of a wrong kind; `advice` begins with a separator. */
static bool wrong_type_so(struct binder *binder, const struct node *node, const char *path,
	const char *expected, const char *advice)
{
	const char *shown = node->kind == NODE_LIST ? "a list"
		: node->kind == NODE_MAP            ? "a map"
		: node_is_null(node)                ? "null"
						    : arena_printf(binder->arena, "%s\"%.80s\"",
                                               node->quoted ? "the string " : "", node->text);
	return diag_error(binder->diag, STATUS_DESCRIPTION, &node->pos, "wrong-type",
		"%s: expected %s, not %s%s", path, expected, shown, advice);
}

static bool wrong_type(
	struct binder *binder, const struct node *node, const char *path, const char *expected)
{
	return wrong_type_so(binder, node, path, expected, "");
}

/* ---- values ---- */

/*
 * PATH_MAX without the NUL byte; the limit of a program's argument (MAX_ARG_STRLEN in
 * include/uapi/linux/binfmts.h) if a hypervisor's option syntax doubles every character; the limit
 * of a file name.
 */
enum { PATH_BYTES = 4095, TEXT_BYTES = 65000, NAME_BYTES = 255 };

/* Whether a shell would replace the start of the text: "$HOME", "${HOME}". */
static bool is_variable(const char *text)
{
	text += *text == '$' ? 1 + (text[1] == '{') : strlen(text);
	return isalpha((unsigned char)*text) || *text == '_';
}

/*
 * Refuses a path that begins with a variable or ~, and warns about a variable in its other parts. A
 * file with such a name can be written as "./$x".
 */
static bool check_expansion(
	struct binder *binder, const struct pos *where, const char *text, const char *path)
{
	if (is_variable(text) || (*text == '~' && strchr(text, '/')))
		return diag_error(binder->diag, STATUS_DESCRIPTION, where, "not-expanded",
			"%s: \"%.80s\": variables and ~ are not expanded; write the path itself",
			path, text);
	const char *rest = text + (strncmp(text, "./", 2) == 0 ? 2 : 0);
	for (const char *slash = strchr(rest, '/'); slash; slash = strchr(slash + 1, '/'))
		if (is_variable(slash + 1)) {
			diag_warning(binder->diag, where, "not-expanded",
				"%s: variables are not expanded: \"%.80s\" is part of the name",
				path,
				arena_strndup(binder->arena, slash + 1, strcspn(slash + 1, "/")));
			break;
		}
	return true;
}

static bool fits(struct binder *binder, const struct option *option, const struct pos *where,
	const char *text, const char *path)
{
	const bool is_path = option->base || (option->arg && strstr(option->arg, "path"));
	const size_t length = strlen(text), most = is_path ? PATH_BYTES : TEXT_BYTES;
	if (is_path && !check_expansion(binder, where, text, path))
		return false;
	if (option->code || length <= most)
		return true;
	return diag_error(binder->diag, STATUS_DESCRIPTION, where, "too-long",
		"%.80s: the value has %zu bytes; %s has at most %zu", path, length,
		is_path ? "a path" : "a program's argument", most);
}

/*
 * Reports a text that does not have the option's shape. The option is not refused: its value can be
 * checked further.
 */
static void check_shape(struct binder *binder, const struct option *option, const struct pos *where,
	const char *text, const char *path)
{
	const struct shape *shape = option->shape;
	const bool is_missing = option->required && !*text; /* reported elsewhere */
	if (!shape || binder->defaults || is_missing)
		return;
	const char *shown =
		strchr(text, '\n') ? "" : arena_printf(binder->arena, ": \"%.80s\"", text);
	if (!shape->fits(text))
		diag_error(binder->diag, shape->status, where, shape->code, "%s%s is not %s%s",
			path, shown, shape->expected,
			is_variable(text) ? "; variables are not expanded" : "");
	else if (option->longest && strlen(text) > option->longest)
		diag_error(binder->diag, shape->status, where, shape->code,
			"%s%s is longer than %zu bytes%s", path, shown, option->longest,
			shape->shorter ? shape->shorter : "");
}

static bool bind_string(struct binder *binder, const struct node *node, const struct target *target)
{
	if (node->kind != NODE_SCALAR)
		return wrong_type(binder, node, target->path, "a string");
	*(const char **)field_of(target) = node->text;
	if (!fits(binder, target->option, &node->pos, node->text, target->path))
		return false;
	check_shape(binder, target->option, &node->pos, node->text, target->path);
	return true;
}

static bool bind_bool(struct binder *binder, const struct node *node, const struct target *target)
{
	bool *field = field_of(target);
	if (node->kind == NODE_SCALAR && !node->quoted) {
		*field = strcmp(node->text, "true") == 0;
		if (*field || strcmp(node->text, "false") == 0)
			return true;
	}
	return wrong_type(binder, node, target->path, "true or false");
}

static bool parse_integer(const char *text, int64_t *value)
{
	if (!*text || text[strspn(text, "-0123456789")] || (text[0] == '-' && !text[1]))
		return false;
	char *end;
	errno = 0;
	long long parsed = strtoll(text, &end, 10);
	*value = parsed;
	return errno == 0 && *end == '\0';
}

static bool in_range(struct binder *binder, const struct node *node, const struct target *target,
	bool parsed, int64_t value)
{
	const struct option *option = target->option;
	if (parsed && value >= option->minimum && value <= option->maximum)
		return true;
	return wrong_type(binder, node, target->path,
		arena_printf(binder->arena, "a whole number from %lld to %lld",
			(long long)option->minimum, (long long)option->maximum));
}

/* YAML 1.1 reads such a number as octal, YAML 1.2 as decimal. */
static bool has_leading_zero(const char *text)
{
	text += *text == '-';
	return text[0] == '0' && isdigit((unsigned char)text[1]);
}

static bool leading_zero(struct binder *binder, const struct node *node, const char *path)
{
	const char *sign = *node->text == '-' ? "-" : "", *number = node->text + strlen(sign);
	while (has_leading_zero(number))
		number++;
	return diag_error(binder->diag, STATUS_DESCRIPTION, &node->pos, "leading-zero",
		"%s: \"%.40s\" begins with 0, and some YAML readers take it for octal; write "
		"%s%.40s",
		path, node->text, sign, number);
}

static bool bind_integer(
	struct binder *binder, const struct node *node, const struct target *target)
{
	int64_t value = 0;
	bool parsed =
		node->kind == NODE_SCALAR && !node->quoted && parse_integer(node->text, &value);
	if (parsed && has_leading_zero(node->text))
		return leading_zero(binder, node, target->path);
	if (!in_range(binder, node, target, parsed, value))
		return false;
	if (target->option->kind == OPTION_UINT)
		*(uint64_t *)field_of(target) = (uint64_t)value;
	else
		*(int64_t *)field_of(target) = value;
	return true;
}

const char *mib_parse(const char *text, uint64_t *mib)
{
	static const struct {
		const char *suffix;
		int shift; /* log2 of the unit in MiB */
	} units[] = {{"", 0}, {"M", 0}, {"MiB", 0}, {"G", 10}, {"GiB", 10}, {"T", 20}, {"TiB", 20}};
	size_t digits = strspn(text, "0123456789");
	if (digits == 0)
		return "expected a size such as 64, 512MiB or 2G";
	errno = 0;
	unsigned long long number = strtoull(text, NULL, 10);
	const char *suffix = text + digits + strspn(text + digits, " ");
	for (size_t i = 0; i < countof(units); i++) {
		if (strcmp(suffix, units[i].suffix) != 0)
			continue;
		if (errno || number > UINT64_MAX >> units[i].shift)
			return "the size is too large";
		*mib = (uint64_t)number << units[i].shift;
		return NULL;
	}
	if (*suffix == '.' || *suffix == ',')
		return "expected a whole number; use a smaller unit";
	if (strcmp(suffix, "MB") == 0 || strcmp(suffix, "GB") == 0 || strcmp(suffix, "TB") == 0)
		return "units are powers of two: use MiB, GiB or TiB";
	return "unknown unit; a size is a number of MiB, or ends in M, MiB, G, GiB, T or TiB";
}

static bool bind_mib(struct binder *binder, const struct node *node, const struct target *target)
{
	if (node->kind != NODE_SCALAR)
		return wrong_type(binder, node, target->path, "a size");
	uint64_t mib = 0;
	const char *problem = mib_parse(node->text, &mib);
	if (!problem && has_leading_zero(node->text))
		return leading_zero(binder, node, target->path);
	if (!problem && mib < (uint64_t)target->option->minimum)
		problem = "the size must not be 0";
	if (!problem && mib > (uint64_t)target->option->maximum)
		problem = "the size is too large; the limit is 16 TiB";
	if (problem)
		return diag_error(binder->diag, STATUS_DESCRIPTION, &node->pos, "wrong-size",
			"%s: \"%.40s\": %s", target->path, node->text, problem);
	*(uint64_t *)field_of(target) = mib;
	return true;
}

static size_t count_choices(const struct option *option)
{
	size_t count = 0;
	while (option->choices[count])
		count++;
	return count;
}

/* Sets the index of the choice that the text names. */
static bool find_choice(
	struct binder *binder, const struct node *node, const struct target *target, size_t *chosen)
{
	const char *const *choices = target->option->choices;
	if (node->kind != NODE_SCALAR)
		return wrong_type(binder, node, target->path, "a string");
	const size_t count = count_choices(target->option);
	for (*chosen = 0; *chosen < count; ++*chosen)
		if (strcmp(choices[*chosen], node->text) == 0)
			return true;
	const char *near = hint_value(target->path, choices, node->text);
	if (near)
		return diag_error(binder->diag, STATUS_DESCRIPTION, &node->pos, "unknown-value",
			"%s: unknown value \"%.80s\"; did you mean \"%s\"?", target->path,
			node->text, near);
	const char *list = "";
	for (size_t i = 0; i < count; i++)
		list = arena_printf(binder->arena, "%s%s%s", list, i ? ", " : "", choices[i]);
	return diag_error(binder->diag, STATUS_DESCRIPTION, &node->pos, "unknown-value",
		"%s: unknown value \"%.80s\"; expected one of %s", target->path, node->text, list);
}

static bool bind_enum(struct binder *binder, const struct node *node, const struct target *target)
{
	size_t chosen;
	if (!find_choice(binder, node, target, &chosen))
		return false;
	*(unsigned *)field_of(target) = (unsigned)chosen;
	return true;
}

static bool bind_backend(
	struct binder *binder, const struct node *node, const struct target *target)
{
	size_t chosen;
	if (!find_choice(binder, node, target, &chosen))
		return false;
	*(const struct backend **)field_of(target) = backends[chosen];
	return true;
}

/* Binds a string inside a list or map. */
static bool bind_text(struct binder *binder, const struct node *node, const struct option *option,
	const char *path, const char **text)
{
	*text = node->text;
	if (node->kind == NODE_SCALAR && !node_is_null(node))
		return fits(binder, option, &node->pos, node->text, path);
	return diag_error(binder->diag, STATUS_DESCRIPTION, &node->pos, "wrong-type",
		"%s: expected a string, not %s", path,
		node->kind == NODE_SCALAR         ? "null"
			: node->kind == NODE_LIST ? "a list"
						  : "a map");
}

static bool bind_strings(
	struct binder *binder, const struct node *node, const struct target *target)
{
	struct strings list = {0};
	bool ok = true;
	if (node->kind != NODE_LIST)
		return wrong_type(binder, node, target->path, "a list of strings such as [a, b]");
	for (size_t i = 0; i < node->items.n; i++) {
		const struct node *item = node->items.v[i];
		const char *text, *path = arena_printf(binder->arena, "%s[%zu]", target->path, i);
		if (bind_text(binder, item, target->option, path, &text))
			check_shape(binder, target->option, &item->pos, text, path);
		else
			ok = false;
		vec_push(binder->arena, &list, text);
		if (ok && !binder->defaults)
			places_set(binder->places, text, &item->pos);
	}
	if (ok)
		*(struct strings *)field_of(target) = list;
	return ok;
}

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->key, ((const struct pair *)b)->key);
}

static bool bind_pairs(struct binder *binder, const struct node *node, const struct target *target)
{
	struct pairs pairs = {0};
	bool ok = true;
	if (node->kind != NODE_MAP)
		return wrong_type(binder, node, target->path, "a map of strings");
	for (size_t i = 0; i < node->entries.n; i++) {
		const struct entry *entry = &node->entries.v[i];
		struct pair pair = {.key = entry->key};
		const char *path =
			arena_printf(binder->arena, "%s.%.80s", target->path, entry->key);
		ok &= bind_text(binder, entry->value, target->option, path, &pair.value);
		ok &= strlen(entry->key) <= NAME_BYTES ||
			diag_error(binder->diag, STATUS_DESCRIPTION, &entry->key_pos, "too-long",
				"%s: the name has %zu bytes; a name has at most %d", path,
				strlen(entry->key), NAME_BYTES);
		check_shape(binder, target->option, &entry->key_pos, entry->key, target->path);
		vec_push(binder->arena, &pairs, pair);
		if (!binder->defaults)
			places_set(binder->places, entry->key, &entry->key_pos);
	}
	if (pairs.n)
		qsort(pairs.v, pairs.n, sizeof *pairs.v, compare_pairs);
	if (ok)
		*(struct pairs *)field_of(target) = pairs;
	return ok;
}

static bool bind_tree(struct binder *binder, const struct node *node, const struct target *target)
{
	(void)binder;
	*(const struct node **)field_of(target) = node;
	return true;
}

/* ---- tables ---- */

static const struct option *find_option(const struct option *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

static void set_defaults(struct binder *binder, const struct option *table, char *base);
static void bind_table(struct binder *binder, const struct node *map, const struct option *table,
	char *base, const char *path);

static void refuse_table(struct binder *binder, const struct option *table, char *base);

/* Marks an option's fields as refused, so that later checks report no follow-up errors. */
static void refuse_option(struct binder *binder, const struct option *option, char *base)
{
	if (option->kind == OPTION_GROUP)
		refuse_table(binder, option->sub, group_base(option, base));
	else if (option->kind != OPTION_NONE)
		places_refuse(binder->places, base + option->offset);
}

static void refuse_table(struct binder *binder, const struct option *table, char *base)
{
	for (; table->name; table++)
		refuse_option(binder, table, base);
}

/* Whether the text is a value of the option, which was given for its whole group. */
static bool is_value_of(const struct option *option, const char *text)
{
	int64_t number;
	if (option->kind == OPTION_ENUM)
		for (const char *const *choice = option->choices; *choice; choice++)
			if (strcmp(*choice, text) == 0)
				return true;
	if (option->kind == OPTION_BOOL)
		return strcmp(option->name, "enable") == 0 &&
			(strcmp(text, "true") == 0 || strcmp(text, "false") == 0);
	return (option->kind == OPTION_INT || option->kind == OPTION_UINT) &&
		parse_integer(text, &number) && number >= option->minimum &&
		number <= option->maximum;
}

/* Shows how a scalar is written in a group: "vsock: 3" is "vsock: {cid: 3}". */
static const char *group_advice(
	struct binder *binder, const struct option *group, const struct node *node)
{
	for (const struct option *row = group->sub; node->kind == NODE_SCALAR && row->name; row++)
		if (is_value_of(row, node->text))
			return arena_printf(
				binder->arena, "; write it as {%s: %.80s}", row->name, node->text);
	return "";
}

static bool bind_group(struct binder *binder, const struct node *node, const struct target *target)
{
	if (node->kind == NODE_SCALAR && target->option->generated_scalar && node->text[0] == '/') {
		diag_note(binder->diag, target->key, "generated-option", "%s is ignored",
			target->path);
		return true;
	}
	if (node->kind != NODE_MAP)
		return wrong_type_so(binder, node, target->path, "a map",
			group_advice(binder, target->option, node));
	bind_table(binder, node, target->option->sub, group_base(target->option, target->base),
		target->path);
	return true;
}

/* Lists the required options of an element: "{type: ..., id: ...}". */
static const char *required_options(struct arena *arena, const struct option *table)
{
	const char *list = "";
	for (; table->name; table++) {
		const char *inner =
			table->kind == OPTION_GROUP ? required_options(arena, table->sub) : "...";
		if (table->kind == OPTION_GROUP ? *inner != '\0' : table->required)
			list = arena_printf(
				arena, "%s%s%s: %s", list, *list ? ", " : "", table->name, inner);
	}
	return *list ? arena_printf(arena, "{%s}", list) : "";
}

/* A file's name in place of an element that may be read from a file. */
static const char *file_advice(
	struct binder *binder, const struct option *table, const struct node *node)
{
	const bool is_file = node->kind == NODE_SCALAR && strpbrk(node->text, "./");
	return is_file && find_option(table, "source")
		? arena_printf(binder->arena, "; write it as {source: %.80s}", node->text)
		: "";
}

static void bind_element(struct binder *binder, const struct node *node, const struct option *table,
	char *element, const char *path)
{
	/* every element's struct starts with its `where` */
	memcpy(element, &node->pos, sizeof node->pos);
	if (node->kind == NODE_MAP) {
		bind_table(binder, node, table, element, path);
		return;
	}
	const char *required = required_options(binder->arena, table);
	if (*required)
		wrong_type(binder, node, path,
			arena_printf(binder->arena, "a map such as %s", required));
	else
		wrong_type_so(binder, node, path, "a map", file_advice(binder, table, node));
	refuse_table(binder, table, element);
}

static bool bind_list(struct binder *binder, const struct node *node, const struct target *target)
{
	const struct option *option = target->option;
	if (node->kind != NODE_LIST)
		return wrong_type(binder, node, target->path,
			arena_printf(binder->arena, "a list such as [%s]",
				required_options(binder->arena, option->sub)));
	char *elements = arena_alloc(binder->arena, node->items.n * option->stride),
	     *blank = arena_alloc(binder->arena, option->stride);
	set_defaults(binder, option->sub, blank);
	for (size_t i = 0; i < node->items.n; i++) {
		char *element = elements + i * option->stride;
		memcpy(element, blank, option->stride);
		bind_element(binder, node->items.v[i], option->sub, element,
			arena_printf(binder->arena, "%s[%zu]", target->path, i));
	}
	memcpy(field_of(target), &elements, sizeof elements);
	*(size_t *)(void *)(target->base + option->count_offset) = node->items.n;
	return true;
}

static bool bind_map(struct binder *binder, const struct node *node, const struct target *target)
{
	const struct option *option = target->option;
	if (node->kind != NODE_MAP)
		return wrong_type(
			binder, node, target->path, "a map such as {web1: ..., web2: ...}");
	char *elements = arena_alloc(binder->arena, node->entries.n * option->stride);
	for (size_t i = 0; i < node->entries.n; i++) {
		const struct entry *entry = &node->entries.v[i];
		char *element = elements + i * option->stride;
		set_defaults(binder, option->sub, element);
		memcpy(element + option->name_offset, &entry->key, sizeof entry->key);
		bind_element(binder, entry->value, option->sub, element,
			arena_printf(binder->arena, "%s.%.80s", target->path, entry->key));
		memcpy(element, &entry->key_pos, sizeof entry->key_pos);
	}
	memcpy(field_of(target), &elements, sizeof elements);
	*(size_t *)(void *)(target->base + option->count_offset) = node->entries.n;
	return true;
}

static bool bind_generated(
	struct binder *binder, const struct node *node, const struct target *target)
{
	(void)node;
	diag_note(binder->diag, target->key, "generated-option", "%s is ignored", target->path);
	return true;
}

/* Each returns whether the value was accepted; errors inside a group or list are refused there. */
static bool (*const bind_kind[])(struct binder *, const struct node *, const struct target *) = {
	[OPTION_STRING] = bind_string,
	[OPTION_BOOL] = bind_bool,
	[OPTION_INT] = bind_integer,
	[OPTION_UINT] = bind_integer,
	[OPTION_MIB] = bind_mib,
	[OPTION_ENUM] = bind_enum,
	[OPTION_BACKEND] = bind_backend,
	[OPTION_STRINGS] = bind_strings,
	[OPTION_PAIRS] = bind_pairs,
	[OPTION_TREE] = bind_tree,
	[OPTION_GROUP] = bind_group,
	[OPTION_LIST] = bind_list,
	[OPTION_NONE] = bind_generated,
	[OPTION_MAP] = bind_map,
};

/* An empty list, map or string counts as missing, like null. */
static bool says_nothing(const struct node *node)
{
	return node_is_null(node) ||
		(node->kind == NODE_SCALAR ? !*node->text : node->items.n + node->entries.n == 0);
}

static void bind_option(struct binder *binder, const struct node *node, const struct target *target)
{
	const struct option *option = target->option;
	if (option->state == OPTION_REMOVED) {
		diag_error(binder->diag, STATUS_DESCRIPTION, target->key, "removed-option",
			"%s was removed; %s", target->path, option->doc);
		return;
	}
	/*
	 * For a string, null is a value (socket: null means no socket). For other kinds, null means
	 * that the option is not given.
	 */
	bool written = !node_is_null(node) || option->kind == OPTION_STRING;
	if (written && !binder->defaults && option->kind != OPTION_GROUP &&
		option->kind != OPTION_NONE)
		places_set(binder->places, field_of(target), &node->pos);
	if (node_is_null(node))
		return; /* the default stays */
	if (!bind_kind[option->kind](binder, node, target))
		refuse_option(binder, option, target->base);
}

/* Marks an option below the map as refused, unless it is in the elements of a list. */
static void refuse_at(
	struct binder *binder, const struct option *table, char *base, const char *option)
{
	const char *dot = strchr(option, '.');
	const struct option *row = find_option(
		table, dot ? arena_strndup(binder->arena, option, (size_t)(dot - option)) : option);
	if (dot && row->kind == OPTION_GROUP)
		refuse_at(binder, row->sub, group_base(row, base), dot + 1);
	else if (!dot)
		refuse_option(binder, row, base);
}

static void unknown_option(struct binder *binder, const struct node *map,
	const struct option *table, const struct entry *entry, char *base, const char *path)
{
	const struct hint_place place = {binder->top, table, path};
	const struct hint hint = hint_find(binder->arena, &place, entry->key);
	diag_error(binder->diag, STATUS_DESCRIPTION, &entry->key_pos, "unknown-option",
		"unknown option \"%s%s%.80s\"%s", path, *path ? "." : "", entry->key, hint.text);
	if (hint.option && !node_get(map, hint.option))
		refuse_at(binder, table, base, hint.option);
}

/* A required option of a group is required even if the group is omitted. */
static void check_required(struct binder *binder, const struct node *map,
	const struct option *table, char *base, const char *path)
{
	for (; table->name; table++) {
		const struct node *given = node_get(map, table->name);
		const char *full = *path ? arena_printf(binder->arena, "%s.%s", path, table->name)
					 : table->name;
		if (table->kind == OPTION_GROUP && (!given || node_is_null(given)))
			check_required(binder, node_new(binder->arena, NODE_MAP, &map->pos),
				table->sub, group_base(table, base), full);
		const struct node *instead = table->unless ? node_get(map, table->unless) : NULL;
		if (!table->required || (given && !says_nothing(given)) ||
			(instead && !says_nothing(instead)) ||
			(binder->may_lack && strcmp(binder->may_lack, full) == 0) ||
			places_refused(binder->places, base + table->offset))
			continue;
		diag_error(binder->diag, STATUS_DESCRIPTION, given ? &given->pos : &map->pos,
			"missing-option", "%s %s", full,
			given && !node_is_null(given) ? "must not be empty" : "is missing");
		refuse_option(binder, table, base);
	}
}

static void bind_table(struct binder *binder, const struct node *map, const struct option *table,
	char *base, const char *path)
{
	for (size_t i = 0; i < map->entries.n; i++) {
		const struct entry *entry = &map->entries.v[i];
		/* A place for anchors, as in compose files. */
		if (strncmp(entry->key, "x-", 2) == 0)
			continue;
		const struct option *option = find_option(table, entry->key);
		const char *full = *path && option
			? arena_printf(binder->arena, "%s.%s", path, entry->key)
			: entry->key;
		if (option)
			bind_option(binder, entry->value,
				&(struct target){option, base, full, &entry->key_pos});
		else
			unknown_option(binder, map, table, entry, base, path);
	}
	check_required(binder, map, table, base, path);
}

static void set_group_defaults(struct binder *binder, const struct option *group, char *base)
{
	if (group->stride)
		*(void **)(void *)(base + group->offset) =
			arena_alloc(binder->arena, group->stride);
	set_defaults(binder, group->sub, group_base(group, base));
}

static void set_defaults(struct binder *binder, const struct option *table, char *base)
{
	struct binder quiet = {.arena = binder->arena,
		.diag = binder->diag,
		.places = binder->places,
		.defaults = true};
	for (; table->name; table++) {
		if (table->kind == OPTION_GROUP)
			set_group_defaults(binder, table, base);
		else if (table->kind == OPTION_INT && !table->def)
			*(int64_t *)(void *)(base + table->offset) = -1;
		else if (table->kind == OPTION_ENUM && !table->def)
			*(unsigned *)(void *)(base + table->offset) =
				(unsigned)count_choices(table);
		else if (table->def)
			bind_option(&quiet,
				doc_parse_value(
					binder->arena, binder->diag, "default", table->def, 0),
				&(struct target){table, base, table->name, NULL});
	}
}

static bool bind_all(struct binder *binder, const struct option *table,
	const struct node *description, void *base)
{
	size_t before = diag_error_count(binder->diag);
	binder->top = table;
	set_defaults(binder, table, base);
	bind_table(binder, description, table, base, "");
	return diag_error_count(binder->diag) == before;
}

bool options_bind(struct arena *arena, struct diag *diag, struct places *places,
	const struct option *table, const struct node *description, void *base)
{
	struct binder binder = {.arena = arena, .diag = diag, .places = places};
	return bind_all(&binder, table, description, base);
}

bool vm_bind(struct arena *arena, struct diag *diag, const struct node *description, struct vm *vm)
{
	struct places *places = places_new(arena);
	*vm = (struct vm){.places = places};
	return options_bind(arena, diag, places, vm_options(arena), description, vm);
}

bool vm_bind_without_system(
	struct arena *arena, struct diag *diag, const struct node *description, struct vm *vm)
{
	struct binder binder = {
		.arena = arena, .diag = diag, .places = places_new(arena), .may_lack = "toplevel"};
	*vm = (struct vm){.places = binder.places};
	return bind_all(&binder, vm_options(arena), description, vm);
}
