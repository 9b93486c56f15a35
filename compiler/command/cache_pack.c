/* SPDX-License-Identifier: MIT */
/* cache_pack: the command that only compresses store paths into the cache. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_line.h"
#include "base/node.h"
#include "base/number.h"
#include "base/printable.h"
#include "base/staging.h"
#include "compiler/closure/closure.h"
#include "compiler/command/commands.h"
#include "compiler/images/disk_image.h"
#include "compiler/inspect/size_text.h"
#include "compiler/plan/report.h"
#include "compiler/session/build.h"
#include "compiler/session/cache_settings.h"
#include "compiler/storage/store_formats.h"

/* ---- what is packed ---- */

static struct node *scalar(struct arena *arena, const struct pos *where, const char *text)
{
	struct node *node = node_new(arena, NODE_SCALAR, where);
	node->text = text;
	node->quoted = true;
	return node;
}

/* The description of no VM: the options of its store disk decide how paths are packed. */
static struct node *empty_description(struct arena *arena)
{
	const struct pos nowhere = {0};
	struct node *map = node_new(arena, NODE_MAP, &nowhere);
	node_add(
		arena, map, &(struct entry){"hostName", nowhere, scalar(arena, &nowhere, "cache")});
	return map;
}

static bool check_way(struct diag *diag, const struct vm *vm)
{
	const struct store_way *way = store_way_find(
		vm->store_disk.type, vm->store_disk.engine, vm->store_disk.compression);
	if (vm->store_disk.engine != ENGINE_LINKED)
		return diag_error(diag, STATUS_DESCRIPTION, vm_where(vm, &vm->store_disk.engine),
			"bad-store-disk",
			"storeDisk.engine: %s makes a disk as a whole, without a cache; cache pack "
			"needs the engine %s",
			store_engine_names[vm->store_disk.engine],
			store_engine_names[ENGINE_LINKED]);
	/* Packing reports a compression that no disk can have. */
	return !way || way->make == store_disk_link ||
		diag_error(diag, STATUS_DESCRIPTION, vm->store_disk.compression_where,
			"bad-store-disk",
			"storeDisk.compression: %s disks with %s are made without a cache; cache "
			"pack needs a compression",
			store_type_names[vm->store_disk.type],
			compression_names[vm->store_disk.compression]);
}

static bool read_settings(struct session *session)
{
	session->input = (struct input){.given = empty_description(session->arena),
		.sets = session->input.sets,
		.no_system = true};
	return session_read(session) && check_way(session->diag, session->vm);
}

static bool is_inside(const char *path, const char *store_dir)
{
	const size_t length = strlen(store_dir);
	return strncmp(path, store_dir, length) == 0 && path[length] == '/';
}

/*
 * A path outside the store is often a link to one inside, such as "result". NULL, with an error, if
 * it does not exist; loading reports that for a path inside.
 */
static const char *store_path_of(struct session *session, const char *word, const char *store_dir)
{
	if (is_inside(word, store_dir))
		return word;
	const char *target = path_real(session->arena, word);
	if (!target && errno == ENOENT)
		diag_error(session->diag, STATUS_INPUT, NULL, "missing-path", "%s does not exist",
			word);
	else if (!target)
		diag_error(session->diag, STATUS_INPUT, NULL, "missing-path",
			"cannot access %s: %s", word, strerror(errno));
	return target && !is_inside(target, store_dir) ? path_absolute(session->arena, word)
						       : target;
}

static bool add_roots(
	struct session *session, const struct strings *words, struct closure_request *request)
{
	bool ok = true;
	for (size_t i = 0; i < words->n; i++) {
		const char *path = store_path_of(session, words->v[i], session->vm->store_dir);
		vec_push(session->arena, &request->roots, path);
		ok &= path != NULL;
	}
	return ok;
}

static bool load_closure(struct session *session, const struct strings *words)
{
	const struct vm *vm = session->vm;
	struct closure_request request = {.store_dir = vm->store_dir,
		.file = vm->closure,
		.file_pos = vm_where(vm, &vm->closure),
		.jobs = settings_jobs(&session->settings),
		.meter = session->meter};
	if (!add_roots(session, words, &request))
		return false;
	session->plan = (struct plan){.vm = vm};
	return closure_load(session->arena, session->diag, &request, &session->plan.closure);
}

/* ---- packing ---- */

/* With some compressors, mkfs.erofs writes the image of each path there. */
static bool begin_scratch(struct invocation *call, struct staging *scratch)
{
	const char *tmp = getenv("TMPDIR");
	if (!tmp || tmp[0] != '/')
		tmp = "/tmp";
	const char *target = path_join(call->arena, tmp, "mvmbuild-cache-pack");
	if (!staging_begin(call->arena, call->diag, target, scratch))
		return false;
	scratch->aside = true;
	return true;
}

static bool pack(struct invocation *call, const char *cache, struct progress *progress,
	struct store_disk_result *result)
{
	struct session *session = &call->session;
	struct image_settings settings = {.cache_dir = cache,
		.jobs = settings_jobs(&session->settings),
		.progress = progress_bytes,
		.path_begins = progress_path,
		.progress_context = progress};
	struct staging scratch;
	if (!settings_sharing(call->arena, call->diag, &session->settings, &settings.sharing) ||
		!begin_scratch(call, &scratch))
		return false;
	const bool ok =
		disk_image_pack(call->diag, &session->plan, &settings, scratch.directory, result);
	staging_abandon(&scratch);
	return ok;
}

static void print_packed(
	struct invocation *call, const char *cache, const struct store_disk_result *result)
{
	const struct closure *closure = &call->session.plan.closure;
	if (!call->cli.json) {
		printf("%zu store path%s packed, %zu from the cache, %s: %s\n", result->packed,
			plural(result->packed), result->reused,
			size_text(call->arena, result->content_bytes),
			printable_text(call->arena, cache));
		return;
	}
	struct json_object *report = json_object_new_object();
	json_object_object_add(report, "directory", json_line_text(cache));
	json_object_object_add(report, "source", json_line_text(closure->source));
	json_object_object_add(report, "packed", json_object_new_uint64(result->packed));
	json_object_object_add(report, "reused", json_object_new_uint64(result->reused));
	json_object_object_add(
		report, "contentBytes", json_object_new_uint64(result->content_bytes));
	fputs(report_text(call->arena, report), stdout);
	json_object_put(report);
}

bool cache_pack(struct invocation *call)
{
	struct session *session = &call->session;
	struct store_disk_result result;
	struct progress progress;
	const char *cache = command_cache(call);
	if (!cache || !read_settings(session))
		return false;
	progress_begin(&progress, &session->settings);
	progress_step_begin(&progress, STEP_CLOSURE);
	session->meter = progress_meter(&progress);
	bool ok = load_closure(session, &call->cli.words);
	session->meter = NULL;
	progress_clear(&progress);
	if (ok)
		progress_closure(&progress, &session->plan.closure);
	ok = ok && pack(call, cache, &progress, &result);
	progress_clear(&progress);
	if (!ok)
		return false;
	print_packed(call, cache, &result);
	call->output = path_absolute(call->arena, cache);
	call->changed = result.packed > 0;
	return true;
}
