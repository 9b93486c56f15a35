/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/become.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/interrupts.h"
#include "compiler/microvm/units.h"

bool program_become(const struct host *host, const struct strings *argv)
{
	/* POSIX guarantees that execvp does not change the strings. */
	union {
		const char *const *given;
		char *const *taken;
	} words = {.given = argv->v};
	interrupts_forget();
	execvp(argv->v[0], words.taken);
	return diag_error(host->diag, STATUS_FAILED, NULL, "run", "cannot start %s: %s", argv->v[0],
		strerror(errno));
}

/* ---- the unit's user ---- */

static bool is_number(const char *text, unsigned long *number)
{
	char *end;
	*number = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end;
}

static const struct passwd *find_user(const char *name)
{
	unsigned long number;
	return is_number(name, &number) ? getpwuid((uid_t)number) : getpwnam(name);
}

static bool find_group(const char *name, gid_t *gid)
{
	unsigned long number;
	if (is_number(name, &number)) {
		*gid = (gid_t)number;
		return true;
	}
	const struct group *group = getgrnam(name);
	if (group)
		*gid = group->gr_gid;
	return group;
}

/* The user's groups in the system's database, and those that the unit adds: "1,2". */
static const char *groups_text(
	const struct host *host, const char *user, gid_t gid, const char *supplementary)
{
	BUF_CLEANUP struct buf text = {0};
	gid_t groups[256], more;
	int count = (int)countof(groups);
	if (getgrouplist(user, gid, groups, &count) < 0)
		count = (int)countof(groups);
	for (int i = 0; i < count; i++)
		buf_printf(&text, "%s%u", i ? "," : "", (unsigned)groups[i]);
	for (const char *at = supplementary; *at;) {
		const size_t length = strcspn(at, " ");
		if (find_group(arena_strndup(host->arena, at, length), &more))
			buf_printf(&text, ",%u", (unsigned)more);
		at += length + strspn(at + length, " ");
	}
	return arena_strdup(host->arena, buf_text(&text));
}

static bool is_missing(const struct host *host, const char *what, const char *name)
{
	return diag_error(host->diag, STATUS_FAILED, NULL, "unit-user",
		"the unit runs the VM as the %s %s, which does not exist; systemd-sysusers creates "
		"it",
		what, name);
}

static bool add_user(const struct host *host, const struct unit *unit, struct strings *argv)
{
	struct arena *arena = host->arena;
	const struct passwd *found = find_user(unit->user);
	if (!found)
		return is_missing(host, "user", unit->user);
	const struct passwd user = *found;
	const char *name = arena_strdup(arena, user.pw_name),
		   *home = arena_strdup(arena, user.pw_dir);
	gid_t gid = user.pw_gid;
	if (*unit->group && !find_group(unit->group, &gid))
		return is_missing(host, "group", unit->group);
	const char *const words[] = {"setpriv", "--reuid",
		arena_printf(arena, "%u", (unsigned)user.pw_uid), "--regid",
		arena_printf(arena, "%u", (unsigned)gid), "--groups",
		groups_text(host, name, gid, unit->groups), "env",
		arena_printf(arena, "HOME=%s", home), arena_printf(arena, "USER=%s", name),
		arena_printf(arena, "LOGNAME=%s", name)};
	strings_add(arena, argv, words, countof(words));
	return true;
}

bool unit_user_add(const struct host *host, const struct machine *machine, struct strings *argv)
{
	if (geteuid() != 0)
		return true;
	const struct unit unit = unit_find(host, machine->name);
	if (!unit_is_of(&unit, machine->directory)) {
		diag_warning(host->diag, NULL, "unit-user",
			"no unit runs the VM in %s, so it runs as root; its volumes will be root's",
			machine->directory);
		return true;
	}
	return !*unit.user || add_user(host, &unit, argv);
}
