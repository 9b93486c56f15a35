/* SPDX-License-Identifier: MIT */
#include "base/sqlite_file.h"

#include "base/arena.h"

static bool is_filled(const char *file)
{
	struct stat st;
	return stat(file, &st) == 0 && st.st_size > 0;
}

bool sqlite_has_log(struct arena *arena, const char *file)
{
	return is_filled(arena_printf(arena, "%s-wal", file)) ||
		is_filled(arena_printf(arena, "%s-journal", file));
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool sqlite_is_unchanged(const char *file, const struct stat *before)
{
	struct stat now;
	return stat(file, &now) == 0 && now.st_dev == before->st_dev &&
		now.st_ino == before->st_ino && now.st_size == before->st_size &&
		is_same_time(&now.st_mtim, &before->st_mtim) &&
		is_same_time(&now.st_ctim, &before->st_ctim);
}
