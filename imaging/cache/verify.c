/* SPDX-License-Identifier: MIT */
#include "imaging/cache/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/workers.h"
#include "imaging/cache/bundles.h"
#include "imaging/cache/scan.h"

/* Result for an object. The inode number shows later whether it is still the same file. */
struct verdict {
	bool damaged;
	ino_t inode;
};

struct verify {
	const struct cache_verify_request *request;
	struct diag *diag;
	struct cache_scan scan;
	struct verdict *verdicts; /* of each object */
	char ***names;            /* of each bundle of each shelf; NULL if damaged */
	size_t shelf;             /* the one being cleaned */
};

/* ---- verification ---- */

static void judge_file(
	const struct cache_shelf *shelf, const struct cache_object *o, struct verdict *verdict)
{
	struct stat st = {0};
	struct object object;
	const struct object_identity identity = {.name = o->name, .settings = shelf->settings};
	int fd = openat(
		shelf->shelf.objects, o->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return; /* removed meanwhile */
	verdict->damaged = fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode);
	verdict->inode = st.st_ino;
	if (verdict->damaged)
		fd_close(&fd);
	else
		verdict->damaged = !object_open(fd, &st, &identity, &object);
	if (!verdict->damaged)
		object_close(&object);
}

static bool judge(void *context, size_t worker, size_t index)
{
	(void)worker;
	struct verify *verify = context;
	const struct cache_object *o = &verify->scan.objects.v[index];
	const struct cache_shelf *shelf = &verify->scan.shelves.v[o->shelf];
	if (o->bundle == SIZE_MAX) {
		judge_file(shelf, o, &verify->verdicts[index]);
		return true;
	}
	const char *names = verify->names[o->shelf][o->bundle];
	verify->verdicts[index].damaged = !names ||
		!bundle_is_sound(&shelf->shelf.v.v[o->bundle], o->entry, shelf->settings, names);
	return true;
}

static void judge_all(struct verify *verify)
{
	const size_t n = verify->scan.objects.n;
	verify->verdicts = arena_alloc(verify->scan.arena, (n + 1) * sizeof *verify->verdicts);
	workers_run(verify->request->jobs, n, judge, verify);
}

static void names_read(struct verify *verify)
{
	struct arena *arena = verify->scan.arena;
	verify->names = arena_alloc(arena, (verify->scan.shelves.n + 1) * sizeof *verify->names);
	for (size_t s = 0; s < verify->scan.shelves.n; s++) {
		const struct shelf *shelf = &verify->scan.shelves.v[s].shelf;
		verify->names[s] = arena_alloc(arena, (shelf->v.n + 1) * sizeof **verify->names);
		for (size_t b = 0; b < shelf->v.n; b++)
			verify->names[s][b] = bundle_names(&shelf->v.v[b]);
	}
}

static void names_free(struct verify *verify)
{
	for (size_t s = 0; verify->names && s < verify->scan.shelves.n; s++)
		for (size_t b = 0; b < verify->scan.shelves.v[s].shelf.v.n; b++)
			free(verify->names[s][b]);
}

/* ---- result ---- */

static const char *path_of(const struct verify *verify, const struct cache_object *o)
{
	struct arena *arena = verify->scan.arena;
	const struct cache_shelf *shelf = &verify->scan.shelves.v[o->shelf];
	if (o->bundle == SIZE_MAX)
		return path_join(arena, shelf->path, o->name);
	const struct bundle *bundle = &shelf->shelf.v.v[o->bundle];
	const char *path =
		arena_printf(arena, "%s/" CACHE_BUNDLES "/%s", shelf->path, bundle->name);
	return o->name ? arena_printf(arena, "%s: %s", path, o->name)
		       : arena_printf(arena, "%s: byte %llu", path,
				 (unsigned long long)bundle->entries[o->entry].start);
}

static void collect_result(struct verify *verify, struct cache_verify_result *result)
{
	struct arena *arena = verify->scan.arena;
	for (size_t i = 0; i < verify->scan.objects.n; i++) {
		result->objects++;
		result->bytes += verify->scan.objects.v[i].bytes;
		if (verify->verdicts[i].damaged)
			vec_push(arena, &result->damaged,
				path_of(verify, &verify->scan.objects.v[i]));
	}
	for (size_t s = 0; s < verify->scan.shelves.n; s++) {
		const struct cache_shelf *shelf = &verify->scan.shelves.v[s];
		for (size_t i = 0; i < shelf->broken.n; i++)
			vec_push(arena, &result->damaged,
				arena_printf(arena, "%s/" CACHE_BUNDLES "/%s", shelf->path,
					shelf->broken.v[i]));
	}
	result->unknown = verify->scan.unknown;
}

/* ---- removal ---- */

static bool has_damage(void *context, size_t bundle)
{
	const struct verify *verify = context;
	for (size_t i = 0; i < verify->scan.objects.n; i++)
		if (verify->scan.objects.v[i].shelf == verify->shelf &&
			verify->scan.objects.v[i].bundle == bundle && verify->verdicts[i].damaged)
			return true;
	return false;
}

/* Keeps a file that a build has replaced meanwhile. */
static void remove_file(const struct shelf *shelf, const char *name, ino_t inode)
{
	struct stat st;
	if (fstatat(shelf->objects, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == inode)
		unlinkat(shelf->objects, name, 0);
}

static bool clean(struct verify *verify, const struct cache_directory *directory)
{
	const struct cache_shelf *shelf = &verify->scan.shelves.v[verify->shelf];
	for (size_t i = 0; i < verify->scan.objects.n; i++) {
		const struct cache_object *o = &verify->scan.objects.v[i];
		if (o->shelf == verify->shelf && o->bundle == SIZE_MAX &&
			verify->verdicts[i].damaged)
			remove_file(&shelf->shelf, o->name, verify->verdicts[i].inode);
	}
	for (size_t i = 0; i < shelf->broken.n; i++)
		cache_remove(shelf->shelf.bundles, shelf->broken.v[i]);
	const struct bundles_merge merge = {directory, &shelf->shelf, has_damage, NULL, verify};
	return bundles_merge(&merge) ||
		diag_error(verify->diag, STATUS_FAILED, NULL, "unwritable-cache",
			"cannot change %s: %s", shelf->path, strerror(errno));
}

static bool clean_all(struct verify *verify)
{
	struct cache_directory directory;
	bool ok = cache_directory_open(verify->diag, verify->request->path, &directory);
	if (ok)
		cache_lock(&directory, LOCK_EX);
	for (verify->shelf = 0; ok && verify->shelf < verify->scan.shelves.n; verify->shelf++)
		ok = clean(verify, &directory);
	cache_directory_close(&directory);
	return ok;
}

bool cache_verify(struct arena *arena, struct diag *diag,
	const struct cache_verify_request *request, struct cache_verify_result *result)
{
	struct verify verify = {.request = request, .diag = diag};
	*result = (struct cache_verify_result){0};
	bool ok = cache_scan(arena, diag, request->path, &verify.scan);
	if (ok) {
		names_read(&verify);
		judge_all(&verify);
		collect_result(&verify, result);
		if (!request->dry_run && result->damaged.n)
			ok = clean_all(&verify);
	}
	names_free(&verify);
	cache_scan_end(&verify.scan);
	return ok;
}
