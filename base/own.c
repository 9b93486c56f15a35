/* SPDX-License-Identifier: MIT */
#include "base/own.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/file.h"

#define SEAL "user.mvmbuild.seal"
#define SEAL_VERSION "1"

enum { LIST_BYTES = 64 << 20, BOOT_ID_LENGTH = 36, HASH_DIGITS = 32 };

/* ---- walk over everything that is not a directory ---- */

struct walk {
	struct arena *arena;
	dev_t device;
	/*
	 * `name` is relative to the top; open it by `directory` and path_base(name). False ends the
	 * walk.
	 */
	bool (*visit)(struct walk *walk, int directory, const char *name, const struct stat *st);
	/* called for a directory after its contents; may be NULL */
	void (*leave)(int parent, const char *name);
	void *context;
};

static bool walk_directory(struct walk *walk, int directory, const char *name);

static bool walk_entry(struct walk *walk, int parent, const char *name)
{
	struct stat st;
	if (fstatat(parent, path_base(name), &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	/* A mount point is visited like a file and not entered. */
	if (!S_ISDIR(st.st_mode) || st.st_dev != walk->device)
		return walk->visit(walk, parent, name, &st);
	const int directory =
		openat(parent, path_base(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return errno == ENOENT || walk->visit(walk, parent, name, &st);
	const bool ok = walk_directory(walk, directory, name);
	if (walk->leave)
		walk->leave(parent, path_base(name));
	return ok;
}

/* Takes ownership of `directory`. `name` is "" at the top. */
static bool walk_directory(struct walk *walk, int directory, const char *name)
{
	DIR *stream = fdopendir(directory);
	if (!stream) {
		close(directory);
		return false;
	}
	bool ok = true;
	for (struct dirent *entry; ok && (entry = readdir(stream));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			ok = walk_entry(walk, dirfd(stream),
				*name ? path_join(walk->arena, name, entry->d_name)
				      : arena_strdup(walk->arena, entry->d_name));
	closedir(stream);
	return ok;
}

static bool walk_top(struct walk *walk, const char *path)
{
	struct stat st;
	const int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0 || fstat(directory, &st) != 0)
		return false; /* fstat of an open directory does not fail */
	walk->device = st.st_dev;
	return walk_directory(walk, directory, "");
}

/* Whether `name` was added after publication, in a runner, a host, or a runner of a host. */
static bool is_added(const char *name)
{
	static const char host[] = "share/" OWN_ADDED "/",
			  runner[] = "share/microvm/" OWN_ADDED "/", runners[] = "runners/";
	if (strncmp(name, runners, strlen(runners)) == 0) {
		name += strlen(runners) + strcspn(name + strlen(runners), "/");
		name += *name == '/';
	}
	return strncmp(name, host, strlen(host)) == 0 || strncmp(name, runner, strlen(runner)) == 0;
}

/*
 * Whether `name` is the lock file of work_lock.h, which exists while the directory is built, or if
 * its build was killed right after publishing.
 */
static bool is_mark(const char *name)
{
	return strcmp(name, ".held") == 0;
}

/* ---- the list ---- */

static void add_escaped(struct buf *text, const char *name)
{
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		if (*p < 0x20 || *p == '\\' || *p == 0x7f)
			buf_printf(text, "\\%03o", *p);
		else
			buf_add(text, p, 1);
}

static const char *unescaped(struct arena *arena, const char *line, size_t length)
{
	char *name = arena_strndup(arena, line, length), *to = name;
	for (const char *from = name; *from;)
		if (*from == '\\' && strspn(from + 1, "01234567") >= 3) {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
				(from[3] - '0'));
			from += 4;
		} else
			*to++ = *from++;
	*to = '\0';
	return name;
}

static bool collect(struct walk *walk, int directory, const char *name, const struct stat *st)
{
	(void)directory;
	(void)st;
	if (!is_added(name) && !is_mark(name))
		vec_push(walk->arena, (struct strings *)walk->context, name);
	return true;
}

bool own_list_write(struct arena *arena, struct diag *diag, const char *directory)
{
	struct strings names = {0};
	struct walk walk = {.arena = arena, .visit = collect, .context = &names};
	/* The list is published too, so its mode must not depend on the umask. */
	const char *place = path_join(arena, directory, OWN_DIRECTORY);
	if (!directory_make(diag, path_parent(arena, place), 0755) ||
		(mkdir(place, 0755) == 0 && chmod(place, 0755) != 0))
		return diag_error(diag, STATUS_FAILED, NULL, "unwritable-output",
			"cannot make %s: %s", place, strerror(errno));
	if (!walk_top(&walk, directory))
		return diag_error(diag, STATUS_FAILED, NULL, "unwritable-output",
			"cannot read %s: %s", directory, strerror(errno));
	if (names.n)
		qsort(names.v, names.n, sizeof *names.v, strings_compare);
	vec_push(arena, &names, OWN_LIST);
	BUF_CLEANUP struct buf text = {0};
	for (size_t i = 0; i < names.n; i++) {
		add_escaped(&text, names.v[i]);
		buf_puts(&text, "\n");
	}
	return file_write(
		diag, path_join(arena, directory, OWN_LIST), buf_text(&text), text.n, 0444);
}

enum listed { LISTED, UNLISTED, UNREADABLE };

static enum listed list_read(struct arena *arena, const char *directory, struct strings *names)
{
	struct bytes text;
	const char *path = path_join(arena, directory, OWN_LIST);
	if (access(path, F_OK) != 0)
		return errno == ENOENT || errno == ENOTDIR ? UNLISTED : UNREADABLE;
	if (!file_read(arena, diag_new(arena), path, LIST_BYTES, &text))
		return UNREADABLE;
	for (const char *line = text.p; *line;) {
		const size_t length = strcspn(line, "\n");
		vec_push(arena, names, unescaped(arena, line, length));
		line += length + (line[length] == '\n');
	}
	/* A list with another last line was truncated by a crash before it was on the disk. */
	if (names->n == 0 || strcmp(names->v[names->n - 1], OWN_LIST) != 0)
		return UNLISTED;
	qsort(names->v, names->n, sizeof *names->v, strings_compare);
	return LISTED;
}

/* ---- ours or not ---- */

struct owner {
	struct strings names;
	enum listed listed;
	const char *foreign;
};

static bool is_own(const struct owner *owner, const char *name)
{
	static const char *const tops[] = {
		"bin/", "libexec/", "share/", "runners/", "store-disks/"};
	if (owner->listed == UNREADABLE)
		return false;
	if (owner->listed == LISTED)
		return (owner->names.n &&
			       bsearch(&name, owner->names.v, owner->names.n, sizeof name,
				       strings_compare)) ||
			is_added(name);
	for (size_t i = 0; i < countof(tops); i++)
		if (strncmp(name, tops[i], strlen(tops[i])) == 0)
			return true;
	return strchr(name, '/') == NULL && strcmp(name, "host.json") == 0;
}

static bool find_foreign(struct walk *walk, int directory, const char *name, const struct stat *st)
{
	struct owner *owner = walk->context;
	(void)directory;
	if (!S_ISDIR(st->st_mode) && (is_own(owner, name) || is_mark(name)))
		return true;
	owner->foreign = name;
	return false;
}

static struct owner owner_of(struct arena *arena, const char *directory)
{
	struct owner owner = {0};
	owner.listed = list_read(arena, directory, &owner.names);
	return owner;
}

const char *own_find_foreign(struct arena *arena, const char *directory)
{
	struct owner owner = owner_of(arena, directory);
	struct walk walk = {.arena = arena, .visit = find_foreign, .context = &owner};
	const bool ok = walk_top(&walk, directory) || errno == ENOENT;
	return owner.foreign || ok ? owner.foreign : ".";
}

static bool remove_own(struct walk *walk, int directory, const char *name, const struct stat *st)
{
	const struct owner *owner = walk->context;
	if (!S_ISDIR(st->st_mode) && (is_own(owner, name) || is_mark(name)))
		unlinkat(directory, path_base(name), 0);
	return true;
}

/* Fails for a directory that contains foreign files, which is intended. */
static void remove_empty(int parent, const char *name)
{
	unlinkat(parent, name, AT_REMOVEDIR);
}

bool own_remove(const char *directory)
{
	struct arena *arena = arena_new();
	struct owner owner = owner_of(arena, directory);
	struct walk walk = {
		.arena = arena, .visit = remove_own, .leave = remove_empty, .context = &owner};
	walk_top(&walk, directory);
	arena_free(arena);
	return rmdir(directory) == 0 || errno == ENOENT;
}

bool own_remove_litter(const char *directory)
{
	struct arena *arena = arena_new();
	struct stat st;
	struct strings names = {0};
	/* A link is removed itself: its target is not litter. */
	const bool whole = lstat(directory, &st) == 0 && !S_ISDIR(st.st_mode);
	const bool unfinished = whole || list_read(arena, directory, &names) == UNLISTED;
	arena_free(arena);
	return (unfinished ? tree_remove : own_remove)(directory);
}

/* ---- the seal ---- */

struct sealing {
	XXH3_state_t *hash;
	struct timespec newest;
};

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* False when a file is missing. */
static bool hash_files(const char *directory, const struct strings *names, struct sealing *sealing)
{
	FD_CLEANUP int top = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = top >= 0;
	for (size_t i = 0; ok && i < names->n; i++) {
		struct stat st;
		ok = fstatat(top, names->v[i], &st, AT_SYMLINK_NOFOLLOW) == 0;
		if (!ok)
			break;
		const uint64_t facts[] = {(uint64_t)st.st_ino, (uint64_t)st.st_mode,
			(uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
			(uint64_t)st.st_mtim.tv_nsec, (uint64_t)st.st_ctim.tv_sec,
			(uint64_t)st.st_ctim.tv_nsec};
		XXH3_128bits_update(sealing->hash, names->v[i], strlen(names->v[i]) + 1);
		XXH3_128bits_update(sealing->hash, facts, sizeof facts);
		if (is_later(&st.st_ctim, &sealing->newest))
			sealing->newest = st.st_ctim;
	}
	return ok;
}

/*
 * Returns "1 BOOT-ID HASH", with "-" for BOOT-ID if the data is on the disk; NULL if the files
 * cannot be sealed.
 */
static const char *seal_text(
	struct arena *arena, const char *directory, const char *boot, struct timespec *newest)
{
	struct strings names = {0};
	struct sealing sealing = {.hash = XXH3_createState()};
	const char *text = NULL;
	if (!sealing.hash)
		abort();
	XXH3_128bits_reset(sealing.hash);
	if (list_read(arena, directory, &names) == LISTED &&
		hash_files(directory, &names, &sealing)) {
		XXH128_canonical_t digest;
		XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(sealing.hash));
		text = arena_printf(arena, SEAL_VERSION " %s %s", boot,
			arena_hex(arena, digest.digest, sizeof digest.digest));
	}
	XXH3_freeState(sealing.hash);
	*newest = sealing.newest;
	return text;
}

/* NULL if the kernel does not provide it. */
static const char *boot_id(struct arena *arena)
{
	char text[BOOT_ID_LENGTH];
	FD_CLEANUP int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	return fd >= 0 && fd_read_all(fd, text, sizeof text, 0)
		? arena_strndup(arena, text, sizeof text)
		: NULL;
}

/*
 * File systems take timestamps from the kernel's tick, which is some milliseconds long: a write
 * within the tick of the last change would not change the time. So the seal is set in a later tick.
 */
static void wait_for_tick(const struct timespec *newest)
{
	enum { LONGEST_TICK_MS = 10, TRIES = 4 * LONGEST_TICK_MS };
	struct timespec now;
	for (int i = 0; i < TRIES && clock_gettime(CLOCK_REALTIME_COARSE, &now) == 0 &&
		!is_later(&now, newest);
		i++)
		nanosleep(&(struct timespec){.tv_nsec = 500 * 1000}, NULL);
}

static const char *seal_place(struct arena *arena, const char *directory)
{
	return path_join(arena, directory, OWN_DIRECTORY);
}

void own_seal(struct arena *arena, const char *directory, bool durable)
{
	struct timespec newest;
	const char *boot = durable ? "-" : boot_id(arena);
	const char *text = boot ? seal_text(arena, directory, boot, &newest) : NULL;
	if (!text)
		return;
	wait_for_tick(&newest);
	setxattr(seal_place(arena, directory), SEAL, text, strlen(text), 0);
}

bool own_seal_holds(struct arena *arena, const char *directory, bool durable)
{
	static const char for_ever[] = SEAL_VERSION " - ";
	char seal[sizeof SEAL_VERSION + 1 + BOOT_ID_LENGTH + 1 + HASH_DIGITS];
	struct timespec newest;
	const ssize_t length = getxattr(seal_place(arena, directory), SEAL, seal, sizeof seal - 1);
	if (length <= 0)
		return false;
	seal[length] = '\0';
	const bool is_durable = strncmp(seal, for_ever, strlen(for_ever)) == 0;
	if (durable && !is_durable)
		return false;
	const char *boot = is_durable ? "-" : boot_id(arena);
	const char *text = boot ? seal_text(arena, directory, boot, &newest) : NULL;
	return text && strcmp(text, seal) == 0;
}
