/* SPDX-License-Identifier: MIT */
/* notify: sends messages to the host's systemd, sd_notify(3). */
#ifndef MVM_BACKENDS_RUNTIME_SHARES_NOTIFY_H
#define MVM_BACKENDS_RUNTIME_SHARES_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sends to the socket `to`, the value of $NOTIFY_SOCKET; NULL drops the message. */
void notify_send(const char *to, const char *message, size_t length);

/*
 * Allows this process's unit `seconds` more for its start or stop, from now on, whatever the unit's
 * limit is: systemd.service(5), TimeoutStopSec=.
 */
void notify_extend(uint64_t seconds);
/*
 * Parses the time limit of a verb "shutdown" and extends the unit's stop by it; prints an error if
 * it is invalid.
 */
bool shutdown_seconds(const char *text, uint64_t *seconds);
/*
 * Reports that there is no VM to shut down, and returns the exit status. To the host's units it is
 * not an error.
 */
int shutdown_without_vm(const char *socket);

#endif
