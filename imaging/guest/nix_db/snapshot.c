/* SPDX-License-Identifier: MIT */
/*
 * To read a database with a log, SQLite needs the log's index, and creates it if it is missing. If
 * the log is empty, we use neither log nor locks ("immutable") and verify that nobody wrote
 * meanwhile: this also works for users who may not write to the directory. Otherwise the process
 * that writes to the log has created its index.
 */
#include "imaging/guest/nix_db/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sqlite_file.h"
#include "imaging/guest/nix_db/database.h"
#include "imaging/guest/nix_db/files.h"
#include "imaging/guest/nix_db/message.h"
#include "imaging/guest/nix_db/reconcile.h"

enum {
	WAIT_MS = 20000, /* for an unchanged moment, or for a lock to be released */
	PAUSE_MS = 25,   /* longer than the steps in which file timestamps advance */
	BLOCK_BYTES = 64 * 1024,
};

struct copier {
	struct arena *arena;
	const char *source; /* the database file */
	const char *target; /* the file being written, beside the final one */
};

static long long now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void pause_shortly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
}

/*
 * Copies all pages in one step, which holds SQLite's read lock, so that the copy is consistent.
 * Returns an SQLite code.
 */
static int copy_pages(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
	if (!backup)
		return sqlite3_errcode(to);
	sqlite3_backup_step(backup, -1);
	return sqlite3_backup_finish(backup);
}

/*
 * The copy's header does not mention a log: a Nix with `use-sqlite-wal = false` cannot open a
 * database in WAL mode.
 */
static int copy_once(const struct copier *copier, const char *options)
{
	sqlite3 *from = NULL, *to = NULL;
	unlink(copier->target);
	int code = sqlite3_open_v2(database_uri(copier->arena, copier->source, options), &from,
		SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_open_v2(copier->target, &to,
			SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix-none");
	if (code == SQLITE_OK)
		code = sqlite3_exec(to, "pragma locking_mode = exclusive; pragma synchronous = off",
			NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = copy_pages(from, to);
	if (code == SQLITE_OK)
		code = sqlite3_exec(to,
			"pragma journal_mode = delete; select 1 from ValidPaths, Refs limit 1",
			NULL, NULL, NULL);
	sqlite3_close(from);
	if (sqlite3_close(to) != SQLITE_OK && code == SQLITE_OK)
		code = SQLITE_IOERR;
	return code;
}

static bool is_passing(int code)
{
	code &= 0xff;
	return code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_PROTOCOL;
}

static bool copy_failed(const struct copier *copier, int code)
{
	if (is_passing(code))
		return fail("%s was in use for %d s", copier->source, WAIT_MS / 1000);
	return fail(
		"cannot copy %s to %s: %s", copier->source, copier->target, sqlite3_errstr(code));
}

static bool copy(const struct copier *copier)
{
	long long end = now_ms() + WAIT_MS;
	for (;;) {
		struct stat before;
		if (stat(copier->source, &before) != 0)
			return fail("cannot read %s: %s", copier->source, strerror(errno));
		pause_shortly();
		bool log = sqlite_has_log(copier->arena, copier->source);
		if (log || sqlite_is_unchanged(copier->source, &before)) {
			int code = copy_once(copier, log ? "" : "?immutable=1");
			bool sound = log ||
				(!sqlite_has_log(copier->arena, copier->source) &&
					sqlite_is_unchanged(copier->source, &before));
			if (sound && code == SQLITE_OK)
				return true;
			if (sound && (!is_passing(code) || now_ms() >= end))
				return copy_failed(copier, code);
		}
		if (now_ms() >= end)
			return copy_failed(copier, SQLITE_BUSY);
	}
}

/* FNV-1a: distinguishes different databases, but not one that is forged. */
static bool identify(const struct copier *copier, char id[17])
{
	uint64_t hash = 0xcbf29ce484222325;
	unsigned char block[BLOCK_BYTES];
	FD_CLEANUP int fd = open(copier->target, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;
	while (fd >= 0 && (n = read(fd, block, sizeof block)) > 0)
		for (ssize_t i = 0; i < n; i++)
			hash = (hash ^ block[i]) * 0x100000001b3;
	snprintf(id, 17, "%016llx", (unsigned long long)hash);
	return n == 0 || fail("cannot read %s: %s", copier->target, strerror(errno));
}

static bool check_schema(struct arena *arena, const char *from)
{
	const char *path = path_join(arena, from, "schema"), *schema = read_text(arena, path);
	if (!schema)
		return fail("cannot read %s: %s", path, strerror(errno));
	if (strcmp(schema, SEED_SCHEMA) == 0)
		return true;
	return fail("%s says that the host's Nix database has schema \"%.20s\", but guests "
		    "require " SEED_SCHEMA ": update mvmbuild, or choose nixDatabase: prebuilt",
		path, schema);
}

static bool publish(const struct copier *copier, const char *to)
{
	char id[17];
	struct arena *arena = copier->arena;
	const char *file = path_join(arena, to, "db.sqlite"),
		   *id_file = path_join(arena, to, SEED_ID), *old = read_text(arena, id_file);
	if (!identify(copier, id))
		return false;
	if (old && strcmp(old, id) == 0 && path_exists(file))
		return remove_file(copier->target);
	/*
	 * Without an id the directory is not a seed; an outdated id must not lie beside the new
	 * file.
	 */
	if (!remove_file(id_file))
		return false;
	if (!sync_directory(to))
		return false;
	if (!publish_file(arena, copier->target, file))
		return false;
	if (!publish_text(arena, path_join(arena, to, "schema"), SEED_SCHEMA))
		return false;
	return publish_text(arena, id_file, id);
}

static bool copy_and_publish(
	const struct copier *copier, struct arena *arena, const char *from, const char *to)
{
	if (!check_schema(arena, from))
		return false;
	if (!make_directories(arena, to))
		return false;
	return copy(copier) && publish(copier, to);
}

bool snapshot(const char *from, const char *to)
{
	struct arena *arena = arena_new();
	const struct copier copier = {arena, path_join(arena, from, "db.sqlite"),
		path_join(arena, to, "db.sqlite.mvm-new")};
	bool ok = copy_and_publish(&copier, arena, from, to);
	if (!ok)
		unlink(copier.target);
	arena_free(arena);
	return ok;
}
