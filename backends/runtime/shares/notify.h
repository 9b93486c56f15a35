/* SPDX-License-Identifier: MIT */
/* notify: what the host's systemd is told, sd_notify(3). */
#ifndef MVM_BACKENDS_RUNTIME_SHARES_NOTIFY_H
#define MVM_BACKENDS_RUNTIME_SHARES_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* To the socket `to`, $NOTIFY_SOCKET; NULL: to nobody. */
void notify_send(const char *to, const char *message, size_t length);

/*
 * The start or stop of the unit that this process is of may take so many seconds from now on,
 * whatever the unit says: systemd.service(5), TimeoutStopSec=.
 */
void notify_extend(uint64_t seconds);
/*
 * The time that a verb "shutdown" is given, which the unit that it stops is given too; complains
 * when it is wrong.
 */
bool shutdown_seconds(const char *text, uint64_t *seconds);

#endif
