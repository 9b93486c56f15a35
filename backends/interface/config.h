/* SPDX-License-Identifier: MIT */
/*
 * config: a hypervisor's configuration file, a tree that is written as JSON; some of its texts are
 * complete only when the VM starts.
 */
#ifndef MVM_BACKENDS_INTERFACE_CONFIG_H
#define MVM_BACKENDS_INTERFACE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/interface/command.h"
#include "base/node.h"

/* A text that is completed when the VM starts. */
struct late {
	const struct node *node;
	enum piece_kind kind; /* PIECE_RUNNER_JSON before the text, or another one behind it */
};

struct config {
	struct arena *arena;
	VEC(struct late) lates;
};

/*
 * Each adds a value to a map, which may replace the one of that key; to a list (`key` is NULL) at
 * its end.
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
/* Says that a text is to be completed. */
void config_add_late(struct config *config, const struct node *text, enum piece_kind kind);

void config_write(const struct config *config, const struct node *root, struct pieces *out);

#endif
