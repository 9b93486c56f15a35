/* SPDX-License-Identifier: MIT */
#include "compiler/session/set.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "compiler/describe/doc.h"
#include "compiler/describe/hint.h"
#include "compiler/describe/options.h"

static const char wrapper[] = "microvm.";

/* A setting such as "volumes.0.size=2G". */
struct setting {
	struct arena *arena;
	struct diag *diag;
	const char *name; /* for messages: "--set volumes.0.size" */
	const char *text;
	size_t key_length; /* of the part before '=' */
	unsigned depth;    /* of the part of the name that was followed */
	struct node *value;
};

static bool no_element(
	const struct setting *setting, const struct pos *where, const struct node *list)
{
	size_t start = where->column - 1;
	const char *are = list && list->items.n
		? arena_printf(setting->arena, "its elements are 0 to %zu", list->items.n - 1)
		: "it is empty";
	return diag_error(setting->diag, STATUS_DESCRIPTION, where, "no-such-element",
		"the list %.*s has no element \"%.*s\"; %s", start ? (int)start - 1 : 0,
		setting->text, (int)where->width, setting->text + start, are);
}

/* The element of a list at `where` in the name; NULL after an error. */
static struct node **find_element(
	const struct setting *setting, struct node *list, const struct pos *where)
{
	const char *digits = setting->text + where->column - 1;
	size_t number = 0;
	for (size_t i = 0; i < where->width && number < list->items.n; i++)
		number = strchr("0123456789", digits[i]) ? number * 10 + (size_t)(digits[i] - '0')
							 : SIZE_MAX;
	if (number < list->items.n)
		return &list->items.v[number];
	no_element(setting, where, list);
	return NULL;
}

/* Whether the name up to byte `end`, which follows a dot, is that of a list. */
static bool is_list(const struct setting *setting, size_t end)
{
	const char *name = arena_strndup(setting->arena, setting->text, end ? end - 1 : 0);
	name += strncmp(name, wrapper, strlen(wrapper)) == 0 ? strlen(wrapper) : 0;
	const struct option *option = option_at(vm_options(setting->arena), name);
	return option && (option->kind == OPTION_LIST || option->kind == OPTION_STRINGS);
}

/*
 * Returns a copy of `base` (NULL: not given) in which the rest of the name, from byte `start` on,
 * is set. NULL after an error.
 */
static struct node *set_inside(struct setting *setting, struct node *base, size_t start)
{
	struct arena *arena = setting->arena;
	if (start > setting->key_length)
		return node_merge(arena, base, setting->value);
	const char *part = setting->text + start;
	size_t left = setting->key_length - start;
	const char *dot = memchr(part, '.', left);
	size_t length = dot ? (size_t)(dot - part) : left;
	const struct pos where = {
		setting->name, 1, (unsigned)start + 1, (unsigned)(length ? length : 1)};
	if (length == 0 || setting->depth++ >= DOC_MAX_DEPTH) {
		diag_error(setting->diag, STATUS_USAGE, &where, "usage",
			"the parts of an option's name must be separated by one dot");
		return NULL;
	}
	if (base && base->kind == NODE_LIST) {
		struct node *list = node_copy(arena, base),
			    **element = find_element(setting, list, &where);
		return element && (*element = set_inside(setting, *element, start + length + 1))
			? list
			: NULL;
	}
	const bool is_given = base && !node_is_null(base);
	if (!is_given && strspn(part, "0123456789") == length && is_list(setting, start)) {
		no_element(setting, &where, NULL);
		return NULL;
	}
	struct node *map = base && base->kind == NODE_MAP ? node_copy(arena, base)
							  : node_new(arena, NODE_MAP, &where);
	const char *key = arena_strndup(arena, part, length);
	struct node *value = set_inside(setting, node_get(map, key), start + length + 1);
	if (value)
		node_set(arena, map, &(struct entry){key, where, value});
	return value ? map : NULL;
}

/* Elements are written as in "volumes.0.size", unlike in messages: "volumes[0].size". */
static bool refuse_brackets(const struct setting *setting, size_t bracket)
{
	const struct pos where = {setting->name, 1, (unsigned)bracket + 1, 1};
	BUF_CLEANUP struct buf name = {0};
	for (size_t i = 0; i < setting->key_length; i++) {
		const char *c = &setting->text[i];
		if (*c == '[')
			buf_puts(&name, c[1] == ']' ? ".0" : ".");
		else if (*c != ']')
			buf_add(&name, c, 1);
	}
	return diag_error(setting->diag, STATUS_USAGE, &where, "usage",
		"an element is named by its number after a dot: %s", buf_text(&name));
}

bool set_option(struct arena *arena, struct diag *diag, const char *text, struct node **merged)
{
	const char *equals = strchr(text, '=');
	size_t length = equals ? (size_t)(equals - text) : strlen(text);
	const char *name =
		arena_printf(arena, "--set %.*s", (int)(length < 200 ? length : 200), text);
	if (!length || !equals)
		return diag_error(
			diag, STATUS_USAGE, NULL, "usage", "--set %.80s: expected KEY=VALUE", text);
	diag_add_argument(diag, name, text);
	struct setting setting = {
		.arena = arena, .diag = diag, .name = name, .text = text, .key_length = length};
	const size_t bracket = strcspn(text, "[=");
	if (bracket < length)
		return refuse_brackets(&setting, bracket);
	setting.value = doc_parse_value(arena, diag, name, text, length + 1);
	if (!setting.value)
		return false;
	struct node *changed = set_inside(&setting, *merged,
		strncmp(text, wrapper, strlen(wrapper)) == 0 ? strlen(wrapper) : 0);
	*merged = changed ? changed : *merged;
	return changed;
}

void set_hypervisor(
	struct arena *arena, struct diag *diag, const char *hypervisor, struct node **merged)
{
	const struct pos where = {"--hypervisor", 1, 1, (unsigned)strlen(hypervisor)};
	struct node *value = node_new(arena, NODE_SCALAR, &where);
	value->text = hypervisor;
	value->quoted = true;
	diag_add_argument(diag, where.file, hypervisor);
	*merged = node_copy(arena, *merged);
	node_set(arena, *merged, &(struct entry){"hypervisor", where, value});
}
