/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/host_disks.h"

#include "base/file.h"
#include "compiler/linked/disk_place.h"
#include "compiler/linked/linked_disk.h"
#include "compiler/session/cache_settings.h"
#include "compiler/storage/runner_paths.h"

const char *host_disks(const struct host *host)
{
	return path_join(host->arena, host->state_dir, DISK_PLACE_NAME);
}

bool host_disk_link(const struct host *host, const char *runner)
{
	struct linked_disk_request request = {.runner = runner,
		.place = host_disks(host),
		.jobs = settings_jobs(&host->settings),
		.unreferred = true};
	const char *disk;
	enum linked_how how;
	if (!path_exists(path_join(host->arena, runner, RUNNER_LINK_LIST)))
		return true;
	request.cache_dir = settings_cache(host->arena, host->diag, &host->settings);
	return settings_sharing(host->arena, host->diag, &host->settings, &request.sharing) &&
		linked_disk_get(host->arena, host->diag, &request, &disk, &how);
}

bool host_disks_prune(const struct host *host)
{
	const char *place = host_disks(host);
	size_t removed = 0;
	unsigned long long bytes = 0;
	return !disk_place_is_ours(place) ||
		disks_collect(host->arena, host->diag, place, &removed, &bytes);
}
