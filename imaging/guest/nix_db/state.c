/* SPDX-License-Identifier: MIT */
#include "imaging/guest/nix_db/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "imaging/guest/nix_db/message.h"

static const struct {
	const char *directory, *prefix; /* of the names to remove */
} stale[] = {
	{"gcroots", "mvm-"},
	{"temproots", ""},
	{"daemon-socket", "socket"},
	{"gc-socket", "socket"},
};

static bool clean(const char *path, const char *prefix)
{
	DIR *stream = opendir(path);
	if (!stream)
		return errno == ENOENT || fail("cannot read %s: %s", path, strerror(errno));
	bool ok = true;
	errno = 0;
	for (const struct dirent *entry; ok && (entry = readdir(stream)); errno = 0)
		if (entry->d_name[0] != '.' &&
			strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
			unlinkat(dirfd(stream), entry->d_name, 0) != 0 && errno != EISDIR)
			ok = fail("cannot remove %s/%s: %s", path, entry->d_name, strerror(errno));
	if (ok && errno)
		ok = fail("cannot read %s: %s", path, strerror(errno));
	closedir(stream);
	return ok;
}

bool state_clean(const char *state_dir)
{
	struct arena *arena = arena_new();
	bool ok = true;
	for (size_t i = 0; ok && i < countof(stale); i++)
		ok = clean(path_join(arena, state_dir, stale[i].directory), stale[i].prefix);
	arena_free(arena);
	return ok;
}
