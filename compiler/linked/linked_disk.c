/* SPDX-License-Identifier: MIT */
#include "compiler/linked/linked_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/interrupts.h"
#include "base/number.h"
#include "compiler/linked/disk_place.h"
#include "compiler/linked/link_list.h"
#include "compiler/storage/store_formats.h"

enum { NAMED_MAX = 5, COMPARED_BYTES = 1 << 16 };

struct linking {
	struct arena *arena;
	struct diag *diag;
	const struct linked_disk_request *request;
	const char *place, *name, *disk;
	const char *work; /* a directory for the unfinished disk */
	struct link_list list;
};

static bool failed(const struct linking *linking, const char *what, const char *path)
{
	return diag_error(linking->diag, STATUS_FAILED, NULL, "linked-disk", "cannot %s %s: %s",
		what, path, strerror(errno));
}

/* ---- making ---- */

static bool has_paths(const struct linking *linking)
{
	const struct closure *closure = &linking->list.closure;
	size_t missing = 0;
	for (size_t i = 0; i < closure->n; i++) {
		struct stat st;
		if (lstat(closure->v[i].path, &st) == 0)
			continue;
		if (missing++ < NAMED_MAX)
			diag_error(linking->diag, STATUS_INPUT, NULL, "missing-path",
				"%s is missing on this host, and the store disk of %s is linked "
				"from it",
				closure->v[i].path, linking->request->runner);
	}
	if (missing > NAMED_MAX)
		diag_error(linking->diag, STATUS_INPUT, NULL, "missing-path",
			"%zu more store path%s are missing", missing - NAMED_MAX,
			plural(missing - NAMED_MAX));
	if (missing)
		diag_note(linking->diag, NULL, "missing-path",
			"copy the runner with its closure to this host (nix copy), and protect it "
			"with a garbage collector root");
	return missing == 0;
}

static bool make(const struct linking *linking, const char *output)
{
	const struct store_way *way =
		store_way_find(linking->list.type, ENGINE_LINKED, linking->list.compression);
	struct store_disk_request request = link_list_request(&linking->list);
	struct store_disk_result result;
	request.output = output;
	request.scratch_dir = linking->work;
	request.cache_dir = linking->request->cache_dir;
	request.sharing = linking->request->sharing;
	request.jobs = linking->request->jobs;
	if (!way->make(linking->diag, &request, &result))
		return false;
	return chmod(output, 0444) == 0 || failed(linking, "change", output);
}

static bool read_at(int fd, char *bytes, off_t at, size_t *count)
{
	const ssize_t got = pread(fd, bytes, COMPARED_BYTES, at);
	*count = got < 0 ? 0 : (size_t)got;
	return got >= 0;
}

static bool files_equal(const char *one, const char *other)
{
	static char a[COMPARED_BYTES], b[COMPARED_BYTES];
	FD_CLEANUP int first = open(one, O_RDONLY | O_CLOEXEC);
	FD_CLEANUP int second = open(other, O_RDONLY | O_CLOEXEC);
	for (off_t at = 0; first >= 0 && second >= 0;) {
		size_t n, m;
		if (!read_at(first, a, at, &n) || !read_at(second, b, at, &m))
			return false;
		if (n != m || memcmp(a, b, n) != 0)
			return false;
		if (n == 0)
			return true;
		at += (off_t)n;
	}
	return false;
}

/* The seal follows the rename, which changes the ctime: a crash in between makes the disk again. */
static bool publish(const struct linking *linking, const char *made)
{
	interrupts_hold();
	bool ok = rename(made, linking->disk) == 0 || failed(linking, "write", linking->disk);
	ok = ok && disk_seal(linking->arena, linking->diag, linking->disk);
	interrupts_go_on();
	directory_sync(linking->place);
	return ok;
}

/* A disk that has its seal is only compared. */
static bool make_or_compare(const struct linking *linking, bool sealed, enum linked_how *how)
{
	const char *made = path_join(linking->arena, linking->work, "disk");
	const bool existed = path_exists(linking->disk);
	if (!has_paths(linking) || !make(linking, made))
		return false;
	*how = existed ? LINKED_REPAIRED : LINKED_MADE;
	if (sealed && files_equal(made, linking->disk)) {
		*how = LINKED_FOUND;
		return true;
	}
	return publish(linking, made);
}

static bool work(const struct linking *linking, bool sealed, enum linked_how *how)
{
	/* A killed process may have left it. */
	if (!path_remove(linking->diag, linking->work))
		return false;
	interrupts_remove(linking->work);
	bool ok = directory_make(linking->diag, linking->work, 0700) &&
		make_or_compare(linking, sealed, how);
	ok = path_remove(linking->diag, linking->work) && ok;
	interrupts_keep(linking->work);
	return ok;
}

/* ---- finding ---- */

static bool get_own(const struct linking *linking, enum linked_how *how)
{
	const char *runner = path_absolute(linking->arena, linking->request->runner);
	if (!disk_place_make(linking->arena, linking->diag, linking->place))
		return false;
	if (!linking->request->unreferred &&
		!disk_refer(linking->arena, linking->diag, linking->place, runner, linking->name))
		return false;
	FD_CLEANUP int lock =
		disk_lock(linking->arena, linking->diag, linking->place, linking->name);
	if (lock < 0)
		return false;
	const bool sealed = disk_is_sealed(linking->arena, linking->disk);
	*how = LINKED_FOUND;
	return (sealed && !linking->request->verify) || work(linking, sealed, how);
}

static bool get_others(const struct linking *linking)
{
	return disk_is_sealed(linking->arena, linking->disk) ||
		diag_error(linking->diag, STATUS_FAILED, NULL, "linked-disk",
			"the store disk %s is missing or was changed, and its directory belongs to "
			"another user; as that user, run: mvmbuild link --disks %s %s",
			linking->disk, linking->place, linking->request->runner);
}

bool linked_disk_get(struct arena *arena, struct diag *diag,
	const struct linked_disk_request *request, const char **disk, enum linked_how *how)
{
	struct linking linking = {.arena = arena, .diag = diag, .request = request};
	linking.place = disk_place_find(arena, diag, request->place);
	if (!linking.place ||
		!link_list_read(arena, diag, request->runner, &linking.list, &linking.name))
		return false;
	linking.disk = *disk = path_join(arena, linking.place, linking.name);
	linking.work = arena_printf(arena, "%s/.%s.work", linking.place, linking.name);
	*how = LINKED_FOUND;
	const bool ours = disk_place_is_ours(linking.place) || !path_is_directory(linking.place);
	return ours ? get_own(&linking, how) : get_others(&linking);
}
