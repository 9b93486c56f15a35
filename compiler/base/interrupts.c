/* SPDX-License-Identifier: MIT */
#include "compiler/base/interrupts.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compiler/base/arena.h"
#include "compiler/base/diag.h"
#include "compiler/base/ending.h"
#include "compiler/base/own.h"

/*
 * The cleaner's own name, by which it knows itself; no user types that. The status to end with follows, the clauses to say, an empty argument, and the
 * doomed paths.
 */
#define CLEANER "mvmbuild (cleaning up)"

enum { CLEANER_ARGUMENTS = 1024 };

/* ---- the records ---- */

struct texts {
	char **v;
	size_t n;
};

static pthread_mutex_t lock; /* recursive; guards the records. Who has been told to stop takes it for ever */
static struct texts doomed, said;

static void texts_add(struct texts *texts, const char *text)
{
	char *copy = memory(strdup(text));
	texts->v = memory(realloc(texts->v, (texts->n + 1) * sizeof *texts->v));
	texts->v[texts->n++] = copy;
}

static void texts_remove(struct texts *texts, const char *text)
{
	for (size_t i = 0; i < texts->n; i++)
		if (strcmp(texts->v[i], text) == 0) {
			free(texts->v[i]);
			texts->v[i] = texts->v[--texts->n];
			break;
		}
	if (texts->n == 0) {
		free(texts->v);
		texts->v = NULL;
	}
}

static void make_lock(void)
{
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

static pthread_mutex_t *the_lock(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_lock);
	return &lock;
}

void interrupts_hold(void)
{
	pthread_mutex_lock(the_lock());
}

void interrupts_go_on(void)
{
	pthread_mutex_unlock(the_lock());
}

void interrupts_remove(const char *path)
{
	interrupts_hold();
	texts_add(&doomed, path);
	interrupts_go_on();
}

void interrupts_keep(const char *path)
{
	interrupts_hold();
	texts_remove(&doomed, path);
	interrupts_go_on();
}

bool interrupts_would_remove(const char *path)
{
	bool found = false;
	interrupts_hold();
	for (size_t i = 0; !found && i < doomed.n; i++) {
		const size_t length = strlen(doomed.v[i]);
		found = strncmp(path, doomed.v[i], length) == 0 && (path[length] == '/' || path[length] == '\0');
	}
	interrupts_go_on();
	return found;
}

void interrupts_say(const char *clause)
{
	interrupts_hold();
	texts_add(&said, clause);
	interrupts_go_on();
}

/* ---- the cleaner ---- */

/* They are told by the end of the thread that started them (process.c); one that does not listen is killed after a while. */
static void wait_for_children(void)
{
	enum { WAIT_MS = 5000, STEP_MS = 5 };
	pid_t child = 0;
	for (int ms = 0; ms < WAIT_MS && (child = waitpid(-1, NULL, WNOHANG)) >= 0; ms += child ? 0 : STEP_MS)
		if (!child)
			usleep(STEP_MS * 1000);
}

/* What a child of a child may still add takes a further round. */
static void remove_path(const char *path)
{
	for (int round = 0; round < 20 && !own_remove_litter(path); round++)
		usleep(5000);
}

/* What was doomed had not taken the place of anything yet. */
static void tell(char *const clauses[], bool removed_any)
{
	fputs("interrupted", stderr);
	for (char *const *clause = clauses; **clause; clause++)
		fprintf(stderr, "%s%s", clause == clauses ? "; " : ", ", *clause);
	fputs(!**clauses && removed_any ? "; what was there before stays as it was\n" : "\n", stderr);
}

void interrupts_clean_up(int argc, char *argv[])
{
	if (argc < 3 || strcmp(argv[0], CLEANER) != 0)
		return;
	const int status = atoi(argv[1]);
	char *const *clauses = argv + 2, *const *separator = clauses;
	while (**separator)
		separator++;
	wait_for_children();
	for (char *const *path = separator + 1; *path; path++)
		remove_path(*path);
	if (status == STATUS_INTERRUPTED)
		tell(clauses, separator[1]);
	_exit(status);
}

/*
 * The lock is ours. Returns only when the program cannot be executed (there is no /proc, say). Needs no memory: there may be none. What there is no
 * room for lies in what there is room for: a runner in its host's directory.
 */
static void become_cleaner(enum status status)
{
	static char name[] = CLEANER, separator[] = "", number[sizeof "130"], *argv[CLEANER_ARGUMENTS + 1];
	size_t n = 0;
	snprintf(number, sizeof number, "%d", (int)status);
	argv[n++] = name;
	argv[n++] = number;
	for (size_t i = 0; i < said.n && n < CLEANER_ARGUMENTS / 2; i++)
		argv[n++] = said.v[i];
	argv[n++] = separator;
	for (size_t i = 0; i < doomed.n && n < CLEANER_ARGUMENTS; i++)
		argv[n++] = doomed.v[i];
	argv[n] = NULL;
	execv("/proc/self/exe", argv);
}

static void *wait_for_signal(void *set)
{
	int number;
	if (sigwait(set, &number) != 0)
		return NULL;
	interrupts_hold();
	become_cleaner(STATUS_INTERRUPTED);
	/* Beside the other threads, then: better than leaving all of it. */
	for (size_t i = 0; i < doomed.n; i++)
		remove_path(doomed.v[i]);
	static const char text[] = "interrupted\n";
	_exit(write(STDERR_FILENO, text, sizeof text - 1) < 0 ? STATUS_INTERRUPTED : STATUS_INTERRUPTED);
}

/* For a program that ends at once, and has said why (ending.h): what is on the list goes, and the process ends with STATUS_FAILED. */
static void end_now(void)
{
	/* Whoever holds the lock may be the one that ends, or may wait for it. */
	struct timespec patience;
	clock_gettime(CLOCK_REALTIME, &patience);
	patience.tv_sec += 2;
	if (pthread_mutex_timedlock(the_lock(), &patience) == 0)
		become_cleaner(STATUS_FAILED);
}

/* ---- the program ---- */

void interrupts_handle(void)
{
	static sigset_t set;
	sigset_t before;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not become larger is an error of its writer: EFBIG */
	ending_do_last(end_now);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_t thread;
	pthread_sigmask(SIG_BLOCK, &set, &before);
	if (pthread_create(&thread, NULL, wait_for_signal, &set) == 0)
		pthread_detach(thread);
	else /* no thread to be had: the signals end the process, and the next build removes what it leaves */
		pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void interrupts_default(void)
{
	/* A signal that the main thread does not block is its own, before it is the waiting thread's. */
	sigset_t none;
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
}
