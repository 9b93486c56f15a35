/* SPDX-License-Identifier: MIT */
/* list_row: what a row of the list says, in words. */
#include <string.h>

#include "compiler/microvm/list.h"

const char *const row_state_names[] = {
	[STATE_CURRENT] = "current",
	[STATE_OUTDATED] = "outdated",
	[STATE_STALE] = "stale",
	[STATE_UNKNOWN] = "unknown",
	[STATE_BROKEN] = "broken",
};

const char *row_activity(const struct row *row)
{
	const struct unit *unit = &row->unit;
	if (row->paused)
		return "paused";
	if (unit_is_active(unit))
		return "running";
	if (row->by_hand)
		return "by hand";
	if (strcmp(unit->sub, "auto-restart") == 0)
		return "restarting";
	if (row->gave_up)
		return "gave up";
	if (row->failure)
		return "failed";
	if (strcmp(unit->active, "activating") == 0 ||
		(strcmp(unit->active, "inactive") == 0 && unit->has_job))
		return "starting";
	return strcmp(unit->active, "deactivating") == 0 ? "stopping" : "stopped";
}

bool row_is_enabled(const struct row *row)
{
	return strncmp(row->unit.enabled, "enabled", strlen("enabled")) == 0 ||
		strcmp(row->unit.enabled, "static") == 0;
}
