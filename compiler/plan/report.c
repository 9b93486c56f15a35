/* SPDX-License-Identifier: MIT */
#include "compiler/plan/report.h"

#include <string.h>

#include "base/node_json.h"
#include "compiler/describe/doc.h"
#include "compiler/describe/options.h"

static void set(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static struct json_object *text_or_null(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

static void set_text(struct json_object *object, const char *key, const char *text)
{
	set(object, key, text_or_null(text));
}

static void set_bool(struct json_object *object, const char *key, bool value)
{
	set(object, key, json_object_new_boolean(value));
}

const char *report_text(struct arena *arena, struct json_object *object)
{
	return arena_printf(arena, "%s\n",
		json_object_to_json_string_ext(object,
			JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
				JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* ---- the description, following the option table ---- */

static struct json_object *strings_json(const struct strings *list)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < list->n; i++)
		json_object_array_add(array, json_object_new_string(list->v[i]));
	return array;
}

static struct json_object *pairs_json(const struct pairs *pairs)
{
	struct json_object *object = json_object_new_object();
	for (size_t i = 0; i < pairs->n; i++)
		set_text(object, pairs->v[i].key, pairs->v[i].value);
	return object;
}

static struct json_object *scalar_json(const struct node *scalar)
{
	BUF_CLEANUP struct buf json = {0};
	json_put_scalar(&json, scalar);
	return json_tokener_parse(json.p);
}

static struct json_object *tree_json(const struct node *node)
{
	if (!node || node_is_null(node))
		return NULL;
	if (node->kind == NODE_SCALAR)
		return scalar_json(node);
	if (node->kind == NODE_LIST) {
		struct json_object *array = json_object_new_array();
		for (size_t i = 0; i < node->items.n; i++)
			json_object_array_add(array, tree_json(node->items.v[i]));
		return array;
	}
	struct json_object *object = json_object_new_object();
	for (size_t i = 0; i < node->entries.n; i++)
		set(object, node->entries.v[i].key, tree_json(node->entries.v[i].value));
	return object;
}

static struct json_object *table_json(const struct option *table, const char *base);

static struct json_object *list_json(const struct option *option, const char *base)
{
	const char *elements;
	memcpy(&elements, base + option->offset, sizeof elements);
	size_t count;
	memcpy(&count, base + option->count_offset, sizeof count);
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(
			array, table_json(option->sub, elements + i * option->stride));
	return array;
}

static struct json_object *value_json(const struct option *option, const char *base)
{
	const void *field = base + option->offset;
	switch (option->kind) {
	case OPTION_STRING:
		return text_or_null(*(const char *const *)field);
	case OPTION_ENUM:
		return text_or_null(option->choices[*(const unsigned *)field]);
	case OPTION_BACKEND:
		return json_object_new_string((*(const struct backend *const *)field)->name);
	case OPTION_BOOL:
		return json_object_new_boolean(*(const bool *)field);
	case OPTION_INT:
		return *(const int64_t *)field < 0 && !option->def
			? NULL
			: json_object_new_int64(*(const int64_t *)field);
	case OPTION_UINT:
	case OPTION_MIB:
		return json_object_new_uint64(*(const uint64_t *)field);
	case OPTION_STRINGS:
		return strings_json(field);
	case OPTION_PAIRS:
		return pairs_json(field);
	case OPTION_TREE:
		return tree_json(*(const struct node *const *)field);
	case OPTION_GROUP:
		return table_json(option->sub, option->stride ? *(const char *const *)field : base);
	case OPTION_LIST:
		return list_json(option, base);
	case OPTION_MAP: /* descriptions have none */
	case OPTION_NONE:
		break;
	}
	return NULL;
}

static struct json_object *table_json(const struct option *table, const char *base)
{
	struct json_object *object = json_object_new_object();
	for (; table->name; table++)
		if (table->kind != OPTION_NONE)
			set(object, table->name, value_json(table, base));
	return object;
}

struct json_object *report_vm(struct arena *arena, const struct vm *vm)
{
	return table_json(vm_options(arena), (const char *)vm);
}

/* ---- the plan ---- */

/* The argument as known before the start, with braces around later values. */
static const char *pieces_text(struct arena *arena, const struct pieces *pieces)
{
	static const char *const braces[] = {[PIECE_TEXT] = NULL,
		[PIECE_RUNNER] = "{runner}",
		[PIECE_RUNNER_COMMAS] = "{runner}",
		[PIECE_RUNNER_JSON] = "{runner}",
		[PIECE_PARAMETERS] = "{parameters}",
		[PIECE_PARAMETERS_JSON] = "{parameters}",
		[PIECE_MACVTAP] = "{macvtap}",
		[PIECE_BRIDGE] = NULL,
		[PIECE_STATE_URL] = "{state}",
		[PIECE_AIO] = "{aio}",
		[PIECE_ENGINE_JSON] = "{engine}",
		[PIECE_DIRECT] = NULL,
		[PIECE_WAYLAND] = "{wayland}",
		[PIECE_RUN_AS] = "{-run-with or -runas}",
		[PIECE_RUN_AS_KEY] = "{user=}",
		[PIECE_FILE_BYTES] = "{bytes of the store disk}",
		[PIECE_SUM_MIB] = NULL};
	const char *text = "";
	for (size_t i = 0; i < pieces->n; i++) {
		const struct piece *piece = &pieces->v[i];
		if (piece->kind == PIECE_BRIDGE)
			text = arena_printf(arena, "%s{tap or bridge},id=%s", text, piece->text);
		else if (piece->kind == PIECE_SUM_MIB)
			text = arena_printf(arena, "%s{%s MiB + store disk}", text, piece->text);
		else
			text = arena_printf(arena, "%s%s", text,
				braces[piece->kind] ? braces[piece->kind] : piece->text);
	}
	return text;
}

struct json_object *report_command(struct arena *arena, const struct command *command)
{
	static const char *const whens[] = {[WHEN_ALWAYS] = "",
		[WHEN_KVM] = "{kvm}",
		[WHEN_TCG] = "{tcg}",
		[WHEN_UNAIDED] = "{without a bridge helper}"};
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < command->arguments.n; i++) {
		const struct argument *argument = &command->arguments.v[i];
		const char *text = arena_printf(arena, "%s%s", whens[argument->when],
			pieces_text(arena, &argument->pieces));
		json_object_array_add(array, json_object_new_string(text));
	}
	return array;
}

static struct json_object *document_json(struct arena *arena, const struct lowered *lowered)
{
	struct json_object *object = json_object_new_object();
	set_text(object, "name", lowered->config.name);
	set_text(object, "text", pieces_text(arena, &lowered->config.pieces));
	return object;
}

static struct json_object *file_json(const struct file_ref *file)
{
	struct json_object *object = json_object_new_object();
	set_text(object, "path", file->path);
	set_bool(object, "inRunner", file->in_runner);
	return object;
}

static struct json_object *disks_json(const struct guest *guest)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < guest->ndisks; i++) {
		const struct disk *disk = &guest->disks[i];
		struct json_object *object = json_object_new_object();
		set_text(object, "id", disk->id);
		set_text(object, "serial", disk->serial);
		set(object, "file", file_json(&disk->file));
		set_text(object, "format", image_type_names[disk->format]);
		set_bool(object, "readOnly", disk->read_only);
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *shares_json(const struct guest *guest)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < guest->nshares; i++) {
		const struct share *share = guest->shares[i];
		struct json_object *object = json_object_new_object();
		set_text(object, "tag", share->tag);
		set_text(object, "source", share->source);
		set_text(object, "proto", share_proto_names[share->proto]);
		set_text(object, "socket", share->socket);
		set_bool(object, "readOnly", share->read_only);
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *nix_json(const struct nix_state *nix)
{
	struct json_object *object = json_object_new_object();
	set_text(object, "stateDir", nix->dir);
	set_bool(object, "kept", nix->kept);
	set_text(object, "boundFrom", nix->bound);
	if (nix->lower)
		set_text(object, "lower", nix->lower);
	if (nix->layer)
		set_text(object, "layer", nix->layer);
	return object;
}

static struct json_object *kernel_json(const struct plan *plan)
{
	const struct kernel *kernel = &plan->system.kernel;
	struct json_object *object = json_object_new_object();
	set_text(object, "path", kernel->path);
	set_text(object, "format", kernel_format_name(kernel->format));
	set_text(object, "arch", kernel_arch_name(kernel->arch));
	set_text(object, "version", kernel->version);
	return object;
}

static struct json_object *modules_json(const struct plan *plan)
{
	struct json_object *array = json_object_new_array();
	for (size_t i = 0; i < plan->modules.n; i++)
		json_object_array_add(array, json_object_new_string(plan->modules.v[i].name));
	return array;
}

static int64_t closure_bytes(const struct closure *closure)
{
	int64_t sum = 0;
	for (size_t i = 0; i < closure->n; i++)
		sum += closure->v[i].nar_size > 0 ? closure->v[i].nar_size : 0;
	return sum;
}

struct json_object *report_plan(struct arena *arena, const struct plan *plan)
{
	struct json_object *object = json_object_new_object(), *closure = json_object_new_object();
	set_text(object, "hypervisor", plan->backend->name);
	set_text(object, "init", plan->system.init);
	set_bool(object, "nixos", plan->system.nixos);
	if (plan->system.prepare_root)
		set_text(object, "prepareRoot", plan->system.prepare_root);
	set(object, "kernel", kernel_json(plan));
	set(object, "initrd",
		plan->own_stage1 ? json_object_new_string("stage1")
				 : text_or_null(plan->system.initrd));
	set_text(object, "kernelParams", plan->guest.parameters);
	set(object, "modules", modules_json(plan));
	set(object, "disks", disks_json(&plan->guest));
	set(object, "shares", shares_json(&plan->guest));
	set(object, "mounts", report_mounts(arena, plan->vm, plan->storage, &plan->mounts));
	set(object, "stage1", report_steps(arena, &plan->steps));
	set(object, "nixState", nix_json(&plan->storage->nix));
	set(object, "command", report_command(arena, &plan->lowered.command));
	if (plan->lowered.config.name)
		set(object, "config", document_json(arena, &plan->lowered));
	set(object, "shutdown", strings_json(&plan->lowered.shutdown));
	set(object, "state", strings_json(&plan->lowered.state));
	set_text(closure, "source", plan->closure.source);
	set(closure, "paths", json_object_new_uint64(plan->closure.n));
	set(closure, "narSize", json_object_new_int64(closure_bytes(&plan->closure)));
	set(object, "closure", closure);
	set(object, "description", report_vm(arena, plan->vm));
	return object;
}
