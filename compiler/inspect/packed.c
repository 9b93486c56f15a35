/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "compiler/images/disk_image.h"
#include "compiler/inspect/sizes.h"
#include "compiler/runner/manifest.h"
#include "compiler/session/cache_settings.h"
#include "compiler/storage/store_formats.h"

static bool load_runner(struct session *session, const char *runner, struct packed *out)
{
	struct manifest manifest;
	bool ok = manifest_read(session->arena, session->diag, runner, &manifest);
	const char *hypervisor = ok ? manifest_text(manifest.plan, "hypervisor") : "";
	*out = (struct packed){.name = manifest.host_name,
		.hypervisor = *hypervisor ? arena_strdup(session->arena, hypervisor) : NULL,
		.runner = runner,
		.closure = manifest.closure,
		.roots = manifest.roots,
		.nroots = manifest.nroots,
		.on_disk = manifest.disk,
		.host_disk = path_exists(path_join(session->arena, runner, RUNNER_LINK_LIST)),
		.disk_bytes = manifest.disk_bytes,
		.tree_bytes = manifest.tree_bytes,
		.stored = manifest.stored};
	manifest_free(&manifest);
	return ok;
}

/* A disk without compression has the files as they are, so that no cache knows their sizes. */
static void expect_plain(const struct session *session, struct packed *out, int64_t *stored)
{
	const struct vm *vm = session->vm;
	const struct store_way *way = store_way_find(
		vm->store_disk.type, vm->store_disk.engine, vm->store_disk.compression);
	out->unbuilt_plain = out->on_disk && way && way->has_pages;
	for (size_t i = 0; out->unbuilt_plain && i < out->closure.n; i++)
		stored[i] = out->closure.v[i].nar_size;
}

static bool load_description(struct session *session, struct packed *out)
{
	struct arena *arena = session->arena;
	if (!session_plan(session))
		return false;
	const struct plan *plan = &session->plan;
	const struct strings packed = plan_packed(arena, plan);
	*out = (struct packed){.name = session->vm->host_name,
		.hypervisor = plan->backend->name,
		.on_disk = storage_disk_in_runner(session->vm),
		.host_disk = storage_disk_on_host(session->vm)};
	if (!closure_measure(arena, session->diag, &plan->closure, &out->closure))
		return false;
	const struct cache_sharing *sharing;
	if (!settings_sharing(arena, session->diag, &session->settings, &sharing))
		return false;
	const char *cache = settings_cache(arena, session->diag, &session->settings);
	int64_t *stored = disk_image_peek(arena, plan, cache, sharing);
	expect_plain(session, out, stored);
	out->stored = stored;
	out->roots = closure_roots(arena, &out->closure, &packed, &out->nroots);
	return true;
}

/* A runner is complete: no option can be set in it, and nothing is merged over it. */
static bool check_alone(struct diag *diag, const struct input *input, const char *runner)
{
	if (input->files.n > 1)
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"%s is a runner; it cannot be combined with other files", runner);
	if (input->sets.n || input->hypervisor)
		return diag_error(diag, STATUS_USAGE, NULL, "usage",
			"%s is a runner; --set and --hypervisor are for descriptions", runner);
	return true;
}

bool packed_load(struct session *session, struct packed *out)
{
	const struct input *input = &session->input;
	for (size_t i = 0; i < input->files.n; i++) {
		const char *file = input->files.v[i];
		if (path_is_directory(file))
			return check_alone(session->diag, input, file) &&
				load_runner(session, file, out);
	}
	return load_description(session, out);
}
