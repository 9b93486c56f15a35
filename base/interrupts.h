/* SPDX-License-Identifier: MIT */
/*
 * interrupts: what becomes of a program that is told to stop (SIGINT, SIGTERM, SIGHUP).
 *
 * Whoever stops a build wants what was there before, whole, or the new result, whole, and nothing
 * beside it. When the signal arrives, other threads and the programs that they started are at any
 * point of their work; whatever is removed under their hands they may make again, or exchange into
 * the place of the result. So nothing is removed beside them. The program executes itself anew as
 * its own cleaner: the kernel ends every other thread at the end of the system call it is in, the
 * cleaner waits for the children, and then removes what was doomed, says what has been done, and
 * exits with STATUS_INTERRUPTED. The caller waits for one and the same process all the time.
 *
 * Steps that belong together (the rename that publishes, and the record that it is done) stand
 * between interrupts_hold and interrupts_go_on: the cleaner sees all of them or none. SIGKILL and a
 * crash leave litter that nobody holds (work_lock.h), which the next build of the same output
 * removes.
 */
#ifndef MVM_BASE_INTERRUPTS_H
#define MVM_BASE_INTERRUPTS_H

#include <stdbool.h>

/*
 * The first thing in main of a program that calls interrupts_handle: in the cleaner it does not
 * return.
 */
void interrupts_clean_up(int argc, char *argv[]);
/*
 * From now on the signals are handled, and what is on the list goes when the program ends at once
 * (ending.h). To be called before any thread is started.
 */
void interrupts_handle(void);
/* From now on the signals end the process as any other, without a word: it writes nothing. */
void interrupts_default(void);
/*
 * For a process that becomes another program (it calls nothing that a child after fork may not
 * call): no signal is blocked or ignored by us any more.
 */
void interrupts_forget(void);

/*
 * A child that was started, to be called between the same interrupts_hold and interrupts_go_on as
 * its fork; and that it was waited for.
 */
void interrupts_child(long process);
void interrupts_child_gone(long process);

/*
 * `path` (absolute, copied) is removed when the program is told to stop; interrupts_keep takes it
 * off the list again.
 */
void interrupts_remove(const char *path);
void interrupts_keep(const char *path);

/*
 * Between the two no signal is acted on. They nest, within one thread. Keep it short: whoever
 * presses Ctrl-C waits for it, and so do other threads that come here; a publication, which looks
 * at all names of the result, is the longest.
 */
void interrupts_hold(void);
void interrupts_go_on(void);

/* Whether `path` is, or lies in, what is on the list. */
bool interrupts_would_remove(const char *path);

/*
 * What has been done for good, as a clause without a full stop ("/path/out is complete"), copied:
 * the cleaner tells the user. To be called between the same interrupts_hold and interrupts_go_on as
 * the deed.
 */
void interrupts_say(const char *clause);

#endif
