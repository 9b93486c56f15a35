/* SPDX-License-Identifier: MIT */
#include "compiler/session/build.h"

#include "base/file.h"
#include "compiler/runner/gcroots.h"
#include "compiler/session/cache_settings.h"

static void report_result(struct arena *arena, struct progress *progress, const struct plan *plan,
	const struct runner_result *result)
{
	if (result->up_to_date) {
		progress_step(progress, "%s is up to date", result->path);
		return;
	}
	const struct store_disk_result *disk = &result->images.store_disk;
	if (plan->vm->store_on_disk)
		progress_step(progress,
			"store disk: %.1f MB of %.1f MB, %zu store paths packed, %zu from the "
			"cache",
			(double)disk->image_bytes / 1e6, (double)disk->content_bytes / 1e6,
			disk->packed, disk->reused);
	if (disk->verity.data_blocks)
		progress_step(progress, "hash tree: %.1f MB, root hash %s",
			(double)verity_tree_bytes(&disk->verity) / 1e6,
			verity_root_text(arena, &disk->verity));
	if (plan->own_stage1)
		progress_step(progress, "stage 1: %.0f KB, %zu kernel modules",
			(double)result->images.initrd_bytes / 1e3, plan->modules.n);
}

static void report_plan_read(struct progress *progress, const struct plan *plan)
{
	progress_step(progress, "closure: %zu store paths, from %s", plan->closure.n,
		plan->closure.source);
	progress_step(progress, "kernel: %s, %s",
		plan->system.kernel.version ? plan->system.kernel.version : "of unknown version",
		kernel_format_name(plan->system.kernel.format));
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
		if (asked->gcroot)
			gcroots_abandon(&roots);
		return false;
	}
	report_result(session->arena, progress, plan, result);
	return !asked->gcroot ||
		gcroots_publish(
			&roots, path_join(session->arena, result->path, RUNNER_SHARE "/gcroots"));
}
