/* SPDX-License-Identifier: MIT */
/*
 * config: a hypervisor's configuration file, as a tree that is written as JSON. Some of its strings
 * are only complete when the VM starts.
 */
#ifndef MVM_BACKENDS_INTERFACE_CONFIG_H
#define MVM_BACKENDS_INTERFACE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/interface/command.h"
#include "base/node.h"

/* A string that is completed when the VM starts. */
struct late {
	const struct node *node;
	enum piece_kind kind; /* PIECE_RUNNER_JSON before the string, or any other after it */
};

struct config {
	struct arena *arena;
	VEC(struct late) lates;
};

/*
 * Each adds a value: to a map, replacing an existing one of that key, or to the end of a list
 * (`key` is NULL).
 */
struct node *config_add(
	struct config *config, struct node *map, const char *key, enum node_kind kind);
struct node *config_add_item(struct config *config, struct node *list);
struct node *config_add_text(
	struct config *config, struct node *map, const char *key, const char *text);
void config_add_number(struct config *config, struct node *map, const char *key, uint64_t number);
void config_add_bool(struct config *config, struct node *map, const char *key, bool value);
void config_add_file(
	struct config *config, struct node *map, const char *key, const struct file_ref *file);
/* Marks a string for completion. */
void config_add_late(struct config *config, const struct node *text, enum piece_kind kind);

void config_write(const struct config *config, const struct node *root, struct pieces *out);

#endif
