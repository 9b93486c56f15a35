/* SPDX-License-Identifier: MIT */
#include "base/interrupts.h"

#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/ending.h"
#include "base/json_line.h"
#include "base/own.h"

/*
 * argv[0] of the cleaner, by which it recognizes itself; no user types that. The exit status
 * follows, then four lists: the children, the clauses to report, the directories to seal, the
 * doomed paths. All but the last end with an empty argument.
 */
#define CLEANER "mvmbuild (cleaning up)"

enum { CLEANER_ARGUMENTS = 1024, AS_EVENT = 'e' /* after the status */ };

static bool as_event;

/* ---- the records ---- */

struct texts {
	char **v;
	size_t n;
};

/*
 * Recursive; guards the records. The thread that handles a signal takes it and never releases it.
 */
static pthread_mutex_t lock;
static struct texts doomed, said, children, sealed;

static void texts_add(struct texts *texts, const char *text)
{
	char *copy = require_memory(strdup(text));
	texts->v = require_memory(realloc(texts->v, (texts->n + 1) * sizeof *texts->v));
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

static void record(void (*change)(struct texts *texts, const char *text), struct texts *texts,
	const char *text)
{
	interrupts_hold();
	change(texts, text);
	interrupts_go_on();
}

static void record_number(
	void (*change)(struct texts *texts, const char *text), struct texts *texts, long number)
{
	char text[32];
	snprintf(text, sizeof text, "%ld", number);
	record(change, texts, text);
}

void interrupts_remove(const char *path)
{
	record(texts_add, &doomed, path);
}

void interrupts_keep(const char *path)
{
	record(texts_remove, &doomed, path);
}

/* The slash at the end distinguishes it. */
void interrupts_remove_empty(const char *directory)
{
	struct arena *arena = arena_new();
	record(texts_add, &doomed, arena_printf(arena, "%s/", directory));
	arena_free(arena);
}

void interrupts_report(const char *clause)
{
	record(texts_add, &said, clause);
}

void interrupts_report_as_event(void)
{
	as_event = true;
}

/* The first character records whether the seal is durable. */
static void record_seal(
	void (*change)(struct texts *texts, const char *text), const char *directory, bool durable)
{
	struct arena *arena = arena_new();
	record(change, &sealed, arena_printf(arena, "%c%s", durable ? '+' : '-', directory));
	arena_free(arena);
}

void interrupts_seal(const char *directory, bool durable)
{
	record_seal(texts_add, directory, durable);
}

void interrupts_seal_end(const char *directory, bool durable)
{
	record_seal(texts_remove, directory, durable);
}

void interrupts_child(long process)
{
	record_number(texts_add, &children, process);
}

void interrupts_child_gone(long process)
{
	record_number(texts_remove, &children, process);
}

bool interrupts_would_remove(const char *path)
{
	bool found = false;
	interrupts_hold();
	for (size_t i = 0; !found && i < doomed.n; i++) {
		const size_t length = strlen(doomed.v[i]);
		found = strncmp(path, doomed.v[i], length) == 0 &&
			(path[length] == '/' || path[length] == '\0');
	}
	interrupts_go_on();
	return found;
}

/* ---- the cleaner ---- */

/* False for a process that was waited for already: its number may have been reused. */
static bool is_child(pid_t process)
{
	return waitpid(process, NULL, WNOHANG) == 0;
}

static void end_children(char *const pids[], int number, int patience_ms)
{
	enum { STEP_MS = 5 };
	for (char *const *pid = pids; **pid; pid++)
		if (is_child((pid_t)atol(*pid)))
			kill((pid_t)atol(*pid), number);
	for (char *const *pid = pids; **pid; pid++)
		while (patience_ms > 0 && is_child((pid_t)atol(*pid))) {
			usleep(STEP_MS * 1000);
			patience_ms -= STEP_MS;
		}
}

/* Kills a child that does not react to SIGTERM. */
static void wait_for_children(char *const pids[])
{
	end_children(pids, SIGTERM, 5000);
	end_children(pids, SIGKILL, 5000);
}

static char *const *next_list(char *const list[])
{
	while (**list)
		list++;
	return list + 1;
}

static bool only_when_empty(const char *path)
{
	return *path && path[strlen(path) - 1] == '/';
}

/* Tries again, because a child's child may still add files. */
static void remove_path(const char *path)
{
	if (only_when_empty(path))
		return;
	for (int round = 0; round < 20 && !own_remove_litter(path); round++)
		usleep(5000);
}

/* When everything else is removed; a directory may come before the one in it. */
static void remove_empty(char *const paths[])
{
	for (int round = 0; round < 2; round++)
		for (char *const *path = paths; *path; path++)
			if (only_when_empty(*path))
				rmdir(*path);
}

/* The doomed paths had not replaced anything yet. */
static void print_interrupted(char *const clauses[], bool removed_any, bool event_wanted)
{
	BUF_CLEANUP struct buf text = {0};
	buf_puts(&text, "interrupted");
	for (char *const *clause = clauses; **clause; clause++)
		buf_printf(&text, "%s%s", clause == clauses ? "; " : ", ", *clause);
	buf_puts(&text, !**clauses && removed_any ? "; any previous output is unchanged" : "");
	if (!event_wanted) {
		fprintf(stderr, "%s\n", buf_text(&text));
		return;
	}
	struct json_object *event = json_object_new_object();
	json_object_object_add(event, "event", json_object_new_string("result"));
	json_object_object_add(event, "status", json_object_new_int(STATUS_INTERRUPTED));
	json_object_object_add(event, "message", json_line_text(buf_text(&text)));
	json_line_print(stderr, event);
}

void interrupts_clean_up(int argc, char *argv[])
{
	if (argc < 5 || strcmp(argv[0], CLEANER) != 0)
		return;
	const int status = atoi(argv[1]);
	char *const *pids = argv + 2, *const *clauses = next_list(pids),
		    *const *seals = next_list(clauses), *const *paths = next_list(seals);
	wait_for_children(pids);
	for (char *const *path = paths; *path; path++)
		remove_path(*path);
	remove_empty(paths);
	for (char *const *seal = seals; **seal; seal++)
		own_seal(arena_new(), *seal + 1, **seal == '+');
	if (status == STATUS_INTERRUPTED)
		print_interrupted(clauses, *paths, strchr(argv[1], AS_EVENT));
	_exit(status);
}

/*
 * Called with the lock held. Returns only if the program cannot be executed (without /proc, for
 * example). Allocates nothing, because there may be no memory. Paths that do not fit in argv lie
 * below ones that do: a runner in its host's directory.
 */
static void become_cleaner(enum status status)
{
	static char name[] = CLEANER, separator[] = "", number[sizeof "130e"],
		    *argv[CLEANER_ARGUMENTS + 1];
	size_t n = 0;
	snprintf(number, sizeof number, as_event ? "%d%c" : "%d", (int)status, AS_EVENT);
	argv[n++] = name;
	argv[n++] = number;
	for (size_t i = 0; i < children.n && n < CLEANER_ARGUMENTS / 4; i++)
		argv[n++] = children.v[i];
	argv[n++] = separator;
	for (size_t i = 0; i < said.n && n < CLEANER_ARGUMENTS / 2; i++)
		argv[n++] = said.v[i];
	argv[n++] = separator;
	for (size_t i = 0; i < sealed.n && n < CLEANER_ARGUMENTS / 2; i++)
		argv[n++] = sealed.v[i];
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
	/* Removes files while other threads still run, which is better than leaving all of them. */
	for (size_t i = 0; i < doomed.n; i++)
		remove_path(doomed.v[i]);
	static const char text[] = "interrupted\n";
	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(STATUS_INTERRUPTED);
	_exit(STATUS_INTERRUPTED);
}

/*
 * Runs after ending.h has printed its message: removes the doomed paths and exits with
 * STATUS_FAILED.
 */
static void end_now(void)
{
	/* The thread that ends may hold the lock itself, or its owner may be waiting for it. */
	struct timespec patience;
	clock_gettime(CLOCK_REALTIME, &patience);
	patience.tv_sec += 2;
	if (pthread_mutex_timedlock(the_lock(), &patience) == 0)
		become_cleaner(STATUS_FAILED);
}

/* ---- the program ---- */

/* A signal that is ignored, as under nohup, stays ignored: sigwait would receive it even then. */
static void add_unless_ignored(sigset_t *set, int number)
{
	struct sigaction action;
	if (sigaction(number, NULL, &action) != 0 || action.sa_handler != SIG_IGN)
		sigaddset(set, number);
}

void interrupts_handle(void)
{
	static sigset_t set;
	sigset_t before;
	signal(SIGPIPE, SIG_IGN);
	/* makes a write beyond the file size limit fail with EFBIG */
	signal(SIGXFSZ, SIG_IGN);
	ending_do_last(end_now);
	sigemptyset(&set);
	add_unless_ignored(&set, SIGINT);
	add_unless_ignored(&set, SIGTERM);
	add_unless_ignored(&set, SIGHUP);
	pthread_t thread;
	pthread_sigmask(SIG_BLOCK, &set, &before);
	if (pthread_create(&thread, NULL, wait_for_signal, &set) == 0)
		pthread_detach(thread);
	/*
	 * Without the thread the signals end the process, and the next build removes what it
	 * leaves.
	 */
	else
		pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void interrupts_default(void)
{
	/* A process-directed signal goes to the main thread first if that does not block it. */
	sigset_t none;
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
}

void interrupts_forget(void)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
}
