/* SPDX-License-Identifier: MIT */
/*
 * interrupts: how a program stops after SIGINT, SIGTERM or SIGHUP.
 *
 * A user who stops a build expects the old result or the new one, whole, and nothing beside it.
 * When the signal arrives, other threads and the programs that they started are at any point of
 * their work; they may recreate files that are removed under them, or move them into the place of
 * the result. So the program does not clean up beside them: it executes itself again as its own
 * cleaner. The kernel ends every other thread when its system call returns; the cleaner waits for
 * the children, removes the doomed paths, reports what was completed, and exits with
 * STATUS_INTERRUPTED. To the caller it is one process all the time.
 *
 * Steps that belong together (the rename that publishes, and the record that it is done) stand
 * between interrupts_hold and interrupts_go_on: the cleaner sees all of them or none. SIGKILL and a
 * crash leave unlocked litter (work_lock.h), which the next build of the same output removes.
 */
#ifndef MVM_BASE_INTERRUPTS_H
#define MVM_BASE_INTERRUPTS_H

#include <stdbool.h>

/*
 * Call first in the main of a program that calls interrupts_handle; does not return in the cleaner.
 */
void interrupts_clean_up(int argc, char *argv[]);
/*
 * Handles the signals from now on, and removes the doomed paths if the program ends by ending.h.
 * Call before any thread is started.
 */
void interrupts_handle(void);
/* From now on the signals end the process silently, by their default action: it writes no files. */
void interrupts_default(void);
/*
 * For a child that executes another program: unblocks the signals and restores their default
 * actions. Async-signal-safe.
 */
void interrupts_forget(void);

/*
 * Records a child that was started, or that was waited for. The first is called between the same
 * interrupts_hold and interrupts_go_on as the fork.
 */
void interrupts_child(long process);
void interrupts_child_gone(long process);

/*
 * Dooms `path` (absolute, copied): it is removed if the program is interrupted. interrupts_keep
 * takes it off the list again.
 */
void interrupts_remove(const char *path);
void interrupts_keep(const char *path);
/* As above, for a directory, which is removed only if it is empty by then. */
void interrupts_remove_empty(const char *directory);

/*
 * Records a directory (absolute, copied) whose seal (own.h) breaks while the program works, because
 * doomed paths have links to its files. It is sealed again after the doomed paths are removed.
 * interrupts_seal_end removes it from the list. Its seal must have been intact before.
 */
void interrupts_seal(const char *directory, bool durable);
void interrupts_seal_end(const char *directory, bool durable);

/*
 * Delay signals between the two calls, which nest within one thread. Keep it short: Ctrl-C waits
 * for it, and so do other threads that come here. The longest is a publication, which looks at all
 * names of the result.
 */
void interrupts_hold(void);
void interrupts_go_on(void);

/* Whether `path` is a doomed path, or lies in one. */
bool interrupts_would_remove(const char *path);

/*
 * Records a completed result as a clause without a full stop ("/path/out is complete"), copied: the
 * cleaner prints it. Call between the same interrupts_hold and interrupts_go_on as the step that
 * completes it.
 */
void interrupts_report(const char *clause);
/* From now on an interruption is reported as the event "result" (docs/pipelines.md). */
void interrupts_report_as_event(void);

#endif
