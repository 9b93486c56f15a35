/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "compiler/inspect/diff.h"

enum { BLOCK_BYTES = 64 * 1024 };

/* The first row whose prefix matches applies. Changes to unlisted files need a reboot. */
static const struct {
	const char *prefix, *area;
	bool reboot;
} areas[] = {
	{RUNNER_MANIFEST, NULL, false}, /* compared by its contents, like the description */
	{RUNNER_DESCRIPTION, NULL, false},
	{RUNNER_SHARE "/gcroots", NULL, false},
	{OWN_LIST, NULL, false}, /* lists the names of the other files */
	{"bin/microvm-run", "start of the VM", true},
	{"bin/virtiofsd-run", "virtiofs daemons", true},
	{"bin/", "scripts", false},
	{"libexec/", "host programs", false},
	{RUNNER_SHARE "/stage1.", "store disk", true},
	{RUNNER_INITRD, "initrd", true},
	{RUNNER_KERNEL, "kernel", true},
	{RUNNER_VMLINUX, "kernel", true},
	{RUNNER_VOLUMES "/", "volumes", true},
	{RUNNER_SHARE "/virtiofs/", "virtiofs daemons", true},
	{RUNNER_SHARE "/hypervisor", "facts for the host", false},
	{RUNNER_SHARE "/system", "facts for the host", false},
	{RUNNER_SHARE "/tap-", "facts for the host", false},
	{RUNNER_SHARE "/macvtap-", "facts for the host", false},
	{RUNNER_SHARE "/pci-devices", "facts for the host", false},
	{RUNNER_SHARE "/usb-devices", "facts for the host", false},
	{RUNNER_SHARE "/vsock-cid", "facts for the host", false},
	{RUNNER_SHARE "/notify", "facts for the host", false},
	{RUNNER_SHARE "/host-user", "facts for the host", false},
	{RUNNER_NEEDED, "facts for the host", false},
	{"", "files", true},
};

static size_t area_of(const char *name)
{
	size_t i = 0;
	while (strncmp(name, areas[i].prefix, strlen(areas[i].prefix)) != 0)
		i++;
	return i;
}

/* ---- the names ---- */

static bool walk(struct arena *arena, const char *root, FTS *tree, struct strings *names)
{
	for (FTSENT *entry; errno = 0, (entry = fts_read(tree));) {
		if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_DNR ||
			entry->fts_info == FTS_NS) {
			errno = entry->fts_errno;
			return false;
		}
		if (entry->fts_info != FTS_D && entry->fts_info != FTS_DP)
			vec_push(arena, names,
				arena_strdup(arena, entry->fts_path + strlen(root) + 1));
	}
	return errno == 0;
}

static bool list_files(
	struct arena *arena, struct diag *diag, const char *root, struct strings *names)
{
	char *paths[] = {arena_strdup(arena, root), NULL};
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	bool ok = tree && walk(arena, root, tree, names);
	int error = errno;
	if (tree)
		fts_close(tree);
	if (names->n)
		qsort(names->v, names->n, sizeof *names->v, strings_compare);
	return ok ||
		diag_error(diag, STATUS_INPUT, NULL, "unreadable-file", "cannot read %s: %s", root,
			strerror(error));
}

/* ---- contents ---- */

enum verdict { SAME, DIFFERENT, UNREADABLE };

static enum verdict compare_contents(int a, int b)
{
	char one[BLOCK_BYTES], two[BLOCK_BYTES];
	for (off_t at = 0;;) {
		const ssize_t n = pread(a, one, sizeof one, at);
		if (n < 0)
			return UNREADABLE;
		if (n == 0)
			return SAME;
		if (!fd_read_all(b, two, (size_t)n, at))
			return errno == EIO ? DIFFERENT : UNREADABLE;
		if (memcmp(one, two, (size_t)n) != 0)
			return DIFFERENT;
		at += n;
	}
}

static enum verdict compare_links(const char *a, const char *b)
{
	char one[4096], two[4096]; /* Linux limits a link's target to 4095 bytes */
	const ssize_t n = readlink(a, one, sizeof one), m = readlink(b, two, sizeof two);
	if (n < 0 || m < 0)
		return UNREADABLE;
	return n == m && memcmp(one, two, (size_t)n) == 0 ? SAME : DIFFERENT;
}

static enum verdict compare_files(const char *a, const char *b)
{
	struct stat x, y;
	if (lstat(a, &x) != 0 || lstat(b, &y) != 0)
		return UNREADABLE;
	if ((x.st_mode & S_IFMT) != (y.st_mode & S_IFMT))
		return DIFFERENT;
	if (S_ISLNK(x.st_mode))
		return compare_links(a, b);
	if (x.st_dev == y.st_dev && x.st_ino == y.st_ino)
		return SAME;
	if (!S_ISREG(x.st_mode) || x.st_size != y.st_size)
		return DIFFERENT;
	FD_CLEANUP int one = open(a, O_RDONLY | O_CLOEXEC);
	FD_CLEANUP int two = open(b, O_RDONLY | O_CLOEXEC);
	return one < 0 || two < 0 ? UNREADABLE : compare_contents(one, two);
}

/* ---- the whole ---- */

static void add(struct arena *arena, struct diff *diff, const char *name, const char *before,
	const char *after)
{
	const size_t area = area_of(name);
	const struct change change = {areas[area].area, name, before, after, areas[area].reboot};
	if (change.area)
		vec_push(arena, &diff->changes, change);
}

static bool compare_named(struct arena *arena, struct diag *diag, const char *const roots[2],
	const char *name, struct diff *diff)
{
	const char *a = path_join(arena, roots[0], name), *b = path_join(arena, roots[1], name);
	if (!areas[area_of(name)].area)
		return true;
	const enum verdict verdict = compare_files(a, b);
	if (verdict == UNREADABLE)
		return diag_error(diag, STATUS_INPUT, NULL, "unreadable-file",
			"cannot compare %s with %s: %s", a, b, strerror(errno));
	if (verdict == DIFFERENT)
		add(arena, diff, name, "", "");
	return true;
}

bool files_diff(struct arena *arena, struct diag *diag, struct diff *diff)
{
	const char *roots[2] = {diff->before->runner, diff->after->runner};
	struct strings names[2] = {{0}};
	for (size_t side = 0; side < 2; side++) {
		char *real = realpath(roots[side], NULL);
		roots[side] = arena_strdup(arena, real ? real : roots[side]);
		free(real);
		if (!list_files(arena, diag, roots[side], &names[side]))
			return false;
	}
	const struct strings *a = &names[0], *b = &names[1];
	for (size_t i = 0, j = 0; i < a->n || j < b->n;) {
		const int order = i == a->n ? 1 : j == b->n ? -1 : strcmp(a->v[i], b->v[j]);
		if (order < 0)
			add(arena, diff, a->v[i++], "", NULL);
		else if (order > 0)
			add(arena, diff, b->v[j++], NULL, "");
		else if (j++, !compare_named(arena, diag, roots, a->v[i++], diff))
			return false;
	}
	return true;
}
