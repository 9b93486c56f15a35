/* SPDX-License-Identifier: MIT */
/* link: the command that links the store disks of runners on their host. */
#include <stdio.h>

#include "base/number.h"
#include "compiler/command/commands.h"
#include "compiler/linked/disk_place.h"
#include "compiler/linked/linked_disk.h"
#include "compiler/session/cache_settings.h"

static void report_linked(const struct invocation *call, const char *disk, enum linked_how how)
{
	static const char *const texts[] = {
		[LINKED_FOUND] = "is there",
		[LINKED_MADE] = "is linked",
		[LINKED_REPAIRED] = "was missing its seal or had changed, and is linked again",
	};
	if (!call->cli.settings.quiet)
		fprintf(stderr, "%s %s\n", disk, texts[how]);
	printf("%s\n", disk);
}

static bool link_runners(struct invocation *call)
{
	const struct cli *cli = &call->cli;
	struct linked_disk_request request = {.place = cli->disks,
		.cache_dir = settings_cache(call->arena, call->diag, &cli->settings),
		.jobs = settings_jobs(&cli->settings),
		.verify = cli->verify};
	bool ok = settings_sharing(call->arena, call->diag, &cli->settings, &request.sharing);
	for (size_t i = 0; ok && i < cli->words.n; i++) {
		const char *disk;
		enum linked_how how;
		request.runner = cli->words.v[i];
		ok = linked_disk_get(call->arena, call->diag, &request, &disk, &how);
		if (ok)
			report_linked(call, disk, how);
	}
	return ok;
}

static bool collect_disks(struct invocation *call)
{
	const char *place = disk_place_find(call->arena, call->diag, call->cli.disks);
	size_t removed = 0;
	unsigned long long bytes = 0;
	if (!place || !disks_collect(call->arena, call->diag, place, &removed, &bytes))
		return false;
	if (!call->cli.settings.quiet)
		fprintf(stderr, "%zu disk%s removed, %.1f MB\n", removed, plural(removed),
			(double)bytes / 1e6);
	return true;
}

bool command_link(struct invocation *call)
{
	if (call->cli.words.n && !link_runners(call))
		return false;
	return !call->cli.collect || collect_disks(call);
}
