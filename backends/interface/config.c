/* SPDX-License-Identifier: MIT */
#include "backends/interface/config.h"

#include "base/buf.h"
#include "base/node_json.h"

struct node *config_add(
	struct config *config, struct node *map, const char *key, enum node_kind kind)
{
	static const struct pos nowhere;
	struct node *node = node_new(config->arena, kind, &nowhere);
	if (map->kind == NODE_LIST)
		vec_push(config->arena, &map->items, node);
	else
		node_set(config->arena, map, &(struct entry){key, nowhere, node});
	return node;
}

struct node *config_add_item(struct config *config, struct node *list)
{
	return config_add(config, list, NULL, NODE_MAP);
}

struct node *config_add_text(
	struct config *config, struct node *map, const char *key, const char *text)
{
	struct node *node = config_add(config, map, key, NODE_SCALAR);
	node->text = text;
	node->quoted = true;
	return node;
}

void config_add_number(struct config *config, struct node *map, const char *key, uint64_t number)
{
	config_add(config, map, key, NODE_SCALAR)->text =
		arena_printf(config->arena, "%llu", (unsigned long long)number);
}

void config_add_bool(struct config *config, struct node *map, const char *key, bool value)
{
	config_add(config, map, key, NODE_SCALAR)->text = value ? "true" : "false";
}

void config_add_late(struct config *config, const struct node *text, enum piece_kind kind)
{
	vec_push(config->arena, &config->lates, (struct late){text, kind});
}

void config_add_file(
	struct config *config, struct node *map, const char *key, const struct file_ref *file)
{
	const char *text =
		file->in_runner ? arena_printf(config->arena, "/%s", file->path) : file->path;
	const struct node *node = config_add_text(config, map, key, text);
	if (file->in_runner)
		config_add_late(config, node, PIECE_RUNNER_JSON);
}

/* ---- writing ---- */

struct writer {
	const struct config *config;
	struct pieces *out;
	struct buf text; /* since the last piece */
};

static void writer_flush(struct writer *writer)
{
	struct arena *arena = writer->config->arena;
	vec_push(arena, writer->out,
		(struct piece){
			.kind = PIECE_TEXT, .text = arena_strdup(arena, buf_text(&writer->text))});
	buf_free(&writer->text);
	writer->text = (struct buf){0};
}

static const struct late *late_find(const struct config *config, const struct node *node)
{
	for (size_t i = 0; i < config->lates.n; i++)
		if (config->lates.v[i].node == node)
			return &config->lates.v[i];
	return NULL;
}

static void scalar_put(struct writer *writer, const struct node *node)
{
	const struct late *late = late_find(writer->config, node);
	BUF_CLEANUP struct buf json = {0};
	json_put_scalar(&json, node);
	/* The piece is inside the quotes. */
	size_t before = !late ? json.n : late->kind == PIECE_RUNNER_JSON ? 1 : json.n - 1;
	buf_add(&writer->text, json.p, before);
	if (!late)
		return;
	writer_flush(writer);
	vec_push(writer->config->arena, writer->out,
		(struct piece){.kind = late->kind, .text = NULL});
	buf_puts(&writer->text, json.p + before);
}

static void node_put(struct writer *writer, const struct node *node, int depth)
{
	if (node->kind == NODE_SCALAR) {
		scalar_put(writer, node);
		return;
	}
	bool list = node->kind == NODE_LIST;
	size_t count = list ? node->items.n : node->entries.n;
	buf_puts(&writer->text, list ? "[" : "{");
	for (size_t i = 0; i < count; i++) {
		buf_printf(&writer->text, "%s\n%*s", i ? "," : "", 2 * depth + 2, "");
		if (!list) {
			json_put_text(&writer->text, node->entries.v[i].key);
			buf_puts(&writer->text, ": ");
		}
		node_put(writer, list ? node->items.v[i] : node->entries.v[i].value, depth + 1);
	}
	if (count)
		buf_printf(&writer->text, "\n%*s", 2 * depth, "");
	buf_puts(&writer->text, list ? "]" : "}");
}

void config_write(const struct config *config, const struct node *root, struct pieces *out)
{
	struct writer writer = {.config = config, .out = out};
	node_put(&writer, root, 0);
	buf_puts(&writer.text, "\n");
	writer_flush(&writer);
}
