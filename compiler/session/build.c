/* SPDX-License-Identifier: MIT */
#include "compiler/session/build.h"

#include <json-c/json.h>

#include "base/file.h"
#include "base/json_line.h"
#include "base/number.h"
#include "compiler/runner/gcroots.h"
#include "compiler/session/cache_settings.h"
#include "compiler/storage/storage.h"

static void fact(struct json_object *facts, const char *key, uint64_t value)
{
	json_object_object_add(facts, key, json_object_new_uint64(value));
}

static void fact_text(struct json_object *facts, const char *key, const char *value)
{
	json_object_object_add(facts, key, value ? json_line_text(value) : NULL);
}

void progress_disk(
	struct progress *progress, const char *title, const struct store_disk_result *disk)
{
	struct json_object *facts = progress_facts(STEP_STORE_DISK);
	fact(facts, "imageBytes", disk->image_bytes);
	fact(facts, "contentBytes", disk->content_bytes);
	fact(facts, "packed", disk->packed);
	fact(facts, "reused", disk->reused);
	fact(facts, "sharedBytes", disk->shared_bytes);
	if (disk->shared_bytes)
		progress_step_end(progress, facts,
			"%s: %.1f MB of %.1f MB, %zu store path%s, %.1f MB shared with the store",
			title, (double)disk->image_bytes / 1e6, (double)disk->content_bytes / 1e6,
			disk->packed, plural(disk->packed), (double)disk->shared_bytes / 1e6);
	else
		progress_step_end(progress, facts,
			"%s: %.1f MB of %.1f MB, %zu store path%s packed, %zu from the cache",
			title, (double)disk->image_bytes / 1e6, (double)disk->content_bytes / 1e6,
			disk->packed, plural(disk->packed), disk->reused);
}

static void report_tree(struct arena *arena, struct progress *progress, const struct verity *verity)
{
	struct json_object *facts = progress_facts("hash-tree");
	fact(facts, "bytes", verity_tree_bytes(verity));
	fact_text(facts, "rootHash", verity_root_text(arena, verity));
	progress_step_end(progress, facts, "hash tree: %.1f MB, root hash %s",
		(double)verity_tree_bytes(verity) / 1e6, verity_root_text(arena, verity));
}

static void report_stage1(
	struct progress *progress, const struct plan *plan, const struct image_results *images)
{
	struct json_object *facts = progress_facts("stage-1");
	fact(facts, "bytes", images->initrd_bytes);
	fact(facts, "modules", plan->modules.n);
	progress_step_end(progress, facts, "stage 1: %.0f KB, %zu kernel module%s",
		(double)images->initrd_bytes / 1e3, plan->modules.n, plural(plan->modules.n));
}

static void report_result(struct arena *arena, struct progress *progress, const struct plan *plan,
	const struct runner_result *result)
{
	const struct store_disk_result *disk = &result->images.store_disk;
	if (result->up_to_date) {
		progress_note(progress, "%s is up to date", result->path);
		return;
	}
	if (storage_disk_in_runner(plan->vm))
		progress_disk(progress, "store disk", disk);
	if (disk->verity.data_blocks)
		report_tree(arena, progress, &disk->verity);
	if (plan->own_stage1)
		report_stage1(progress, plan, &result->images);
}

void progress_closure(struct progress *progress, const struct closure *closure)
{
	struct json_object *facts = progress_facts(STEP_CLOSURE);
	fact(facts, "paths", closure->n);
	fact_text(facts, "source", closure->source);
	progress_step_end(progress, facts, "closure: %zu store path%s, from %s", closure->n,
		plural(closure->n), closure->source);
}

/* A NixOS whose second stage is not its init is worth a line: its boot takes another way. */
static void report_activation(struct progress *progress, const struct system *system)
{
	if (!system->prepare_root)
		return;
	struct json_object *facts = progress_facts("activation");
	fact_text(facts, "program", system->prepare_root);
	progress_step_end(progress, facts,
		"activation: NixOS with systemd in its initrd; stage 1 runs %s",
		system->prepare_root);
}

static void report_plan_read(struct progress *progress, const struct plan *plan)
{
	const struct kernel *kernel = &plan->system.kernel;
	progress_closure(progress, &plan->closure);
	report_activation(progress, &plan->system);
	struct json_object *facts = progress_facts("kernel");
	fact_text(facts, "path", kernel->path);
	fact_text(facts, "version", kernel->version);
	fact_text(facts, "format", kernel_format_name(kernel->format));
	progress_step_end(progress, facts, "kernel: %s, %s",
		kernel->version ? kernel->version : "of unknown version",
		kernel_format_name(kernel->format));
}

bool build_runner(struct session *session, struct progress *progress, const char *output,
	struct runner_result *result)
{
	const struct build_settings *asked = &session->settings;
	const struct plan *plan = &session->plan;
	const struct cache_sharing *sharing;
	report_plan_read(progress, plan);
	if (!settings_sharing(session->arena, session->diag, asked, &sharing))
		return false;
	const struct image_settings settings = {
		.cache_dir = settings_cache(session->arena, session->diag, asked),
		.sharing = sharing,
		.jobs = settings_jobs(asked),
		.force = asked->force,
		.no_sync = asked->no_sync,
		.progress = progress_bytes,
		.path_begins = progress_path,
		.progress_context = progress,
	};
	struct gcroots_paths paths = {0};
	struct gcroots roots;
	gcroots_collect(session->arena, plan, &paths);
	if (asked->gcroot &&
		!gcroots_begin(
			session->arena, session->diag, &paths, output, asked->gcroot_dir, &roots))
		return false;
	if (!runner_build(session->arena, session->diag, plan, &settings, output, result)) {
		progress_clear(progress);
		if (asked->gcroot)
			gcroots_abandon(&roots);
		return false;
	}
	report_result(session->arena, progress, plan, result);
	return !asked->gcroot ||
		gcroots_publish(
			&roots, path_join(session->arena, result->path, RUNNER_SHARE "/gcroots"));
}
