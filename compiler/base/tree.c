/* SPDX-License-Identifier: MIT */
/* tree: removing trees, cleaning up when told to stop, and publishing a finished directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/base/arena.h"
#include "compiler/base/buf.h"
#include "compiler/base/file.h"

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool remove_at(int parent, const char *name);

static bool remove_children(int directory)
{
	DIR *stream = fdopendir(directory);
	if (!stream) {
		close(directory);
		return false;
	}
	bool ok = true;
	for (struct dirent *entry; (entry = readdir(stream));)
		if (!is_dot(entry->d_name) && !remove_at(dirfd(stream), entry->d_name))
			ok = false;
	closedir(stream);
	return ok;
}

static bool remove_at(int parent, const char *name)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return true;
	if (errno != EISDIR && errno != EPERM)
		return false;
	int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return errno == ENOENT;
	/* A directory that we made read-only on purpose (a copied store path) must not stop us. */
	fchmod(directory, 0700);
	bool emptied = remove_children(directory);
	return (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) && emptied;
}

bool tree_remove(const char *path)
{
	return remove_at(AT_FDCWD, path);
}

/* ---- told to stop ---- */

static pthread_mutex_t doomed_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	char **v;
	size_t n;
} doomed; /* guarded by doomed_lock */

static void remove_doomed(void)
{
	/* Other threads may still be writing into the tree: what they add meanwhile takes a second round. */
	for (size_t i = 0; i < doomed.n; i++)
		for (int round = 0; round < 20 && !tree_remove(doomed.v[i]); round++)
			usleep(5000);
}

static void *wait_for_signal(void *set)
{
	int number;
	if (sigwait(set, &number) != 0)
		return NULL;
	pthread_mutex_lock(&doomed_lock);
	remove_doomed();
	static const char text[] = "mvmbuild: interrupted; nothing was written\n";
	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(STATUS_INTERRUPTED);
	_exit(STATUS_INTERRUPTED);
}

void interrupts_handle(void)
{
	static sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	pthread_t thread;
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || pthread_create(&thread, NULL, wait_for_signal, &set) != 0)
		abort();
	pthread_detach(thread);
}

void interrupts_remove(const char *path)
{
	pthread_mutex_lock(&doomed_lock);
	char **grown = realloc(doomed.v, (doomed.n + 1) * sizeof *grown);
	if (!grown)
		abort();
	doomed.v = grown;
	doomed.v[doomed.n] = strdup(path);
	if (!doomed.v[doomed.n++])
		abort();
	pthread_mutex_unlock(&doomed_lock);
}

void interrupts_keep(const char *path)
{
	pthread_mutex_lock(&doomed_lock);
	for (size_t i = 0; i < doomed.n; i++)
		if (strcmp(doomed.v[i], path) == 0) {
			free(doomed.v[i]);
			doomed.v[i] = doomed.v[--doomed.n];
			break;
		}
	if (doomed.n == 0) {
		free(doomed.v);
		doomed.v = NULL;
	}
	pthread_mutex_unlock(&doomed_lock);
}

/* ---- publishing ---- */

/* The prefix of the names of unfinished siblings of `target`: ".NAME.mvmbuild-". */
static const char *litter_prefix(struct arena *arena, const char *target)
{
	return arena_printf(arena, ".%s.mvmbuild-", path_base(target));
}

/* An unfinished directory is litter when nobody holds its lock any more. */
static void remove_litter(struct arena *arena, const char *parent, const char *prefix)
{
	DIR *stream = opendir(parent);
	if (!stream)
		return;
	for (struct dirent *entry; (entry = readdir(stream));) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		FD_CLEANUP int fd = openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			tree_remove(path_join(arena, parent, entry->d_name));
	}
	closedir(stream);
}

static const char *absolute_path(struct arena *arena, const char *path)
{
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		length--;
	path = arena_strndup(arena, path, length);
	if (path[0] == '/')
		return path;
	char *here = getcwd(NULL, 0);
	const char *absolute = path_join(arena, here ? here : "/", path);
	free(here);
	return absolute;
}

bool staging_begin(struct arena *arena, struct diag *diag, const char *target, struct staging *staging)
{
	*staging = (struct staging){.target = absolute_path(arena, target), .lock = -1};
	const char *parent = path_parent(arena, staging->target), *prefix = litter_prefix(arena, staging->target);
	remove_litter(arena, parent, prefix);
	char *directory = arena_printf(arena, "%s%sXXXXXX", path_join(arena, parent, ""), prefix);
	if (!mkdtemp(directory))
		return diag_error(diag, STATUS_FAILED, NULL, "unwritable-output", "cannot make a directory in %s: %s", parent,
				  strerror(errno));
	interrupts_remove(directory);
	staging->directory = directory;
	staging->lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (staging->lock < 0 || flock(staging->lock, LOCK_EX | LOCK_NB) != 0 || fchmod(staging->lock, 0755) != 0) {
		diag_error(diag, STATUS_FAILED, NULL, "unwritable-output", "cannot lock %s: %s", directory, strerror(errno));
		staging_abandon(staging);
		return false;
	}
	return true;
}

static bool sync_at(int parent, const char *name);

static bool sync_children(int directory)
{
	DIR *stream = fdopendir(dup(directory));
	if (!stream)
		return false;
	bool ok = true;
	for (struct dirent *entry; ok && (entry = readdir(stream));)
		ok = is_dot(entry->d_name) || sync_at(directory, entry->d_name);
	closedir(stream);
	return ok;
}

/* Makes a file or a tree durable. Links have no data of their own. */
static bool sync_at(int parent, const char *name)
{
	struct stat st;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return true;
	FD_CLEANUP int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && (!S_ISDIR(st.st_mode) || sync_children(fd)) && fsync(fd) == 0;
}

bool staging_publish(struct diag *diag, struct staging *staging)
{
	bool ok = sync_at(AT_FDCWD, staging->directory);
	if (ok && renameat2(AT_FDCWD, staging->directory, AT_FDCWD, staging->target, RENAME_NOREPLACE) != 0) {
		ok = errno == EEXIST && renameat2(AT_FDCWD, staging->directory, AT_FDCWD, staging->target, RENAME_EXCHANGE) == 0;
		if (ok)
			tree_remove(staging->directory);
	}
	if (!ok) {
		diag_error(diag, STATUS_FAILED, NULL, "unwritable-output", "cannot publish %s: %s", staging->target, strerror(errno));
		staging_abandon(staging);
		return false;
	}
	interrupts_keep(staging->directory);
	fd_close(&staging->lock);
	return true;
}

void staging_abandon(struct staging *staging)
{
	if (!staging->directory)
		return;
	tree_remove(staging->directory);
	interrupts_keep(staging->directory);
	fd_close(&staging->lock);
	staging->directory = NULL;
}
