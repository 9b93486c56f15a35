/* SPDX-License-Identifier: MIT */
/* tree: removing trees, and cleaning up when told to stop. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* A directory that was made read-only on purpose (a copied store path), or unreadable, must not stop us. */
static void make_passable(int parent, const char *name)
{
	FD_CLEANUP int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char self[sizeof "/proc/self/fd/" + 10]; /* a path without permission allows no fchmod */
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	if (fd >= 0)
		chmod(self, 0700);
}

static bool remove_at(int parent, const char *name)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return true;
	if (errno != EISDIR && errno != EPERM)
		return false;
	make_passable(parent, name);
	int directory = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return errno == ENOENT;
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
	static const char text[] = "interrupted; nothing was written\n";
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

void interrupts_default(void)
{
	/* A signal that the main thread does not block is its own, before it is the waiting thread's. */
	sigset_t none;
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
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
