/* SPDX-License-Identifier: MIT */
/* notify: what the host's systemd is told, sd_notify(3). */
#ifndef MVM_HOST_NOTIFY_H
#define MVM_HOST_NOTIFY_H

#include <stddef.h>

/* To the socket `to`, $NOTIFY_SOCKET; NULL: to nobody. */
void notify_send(const char *to, const char *message, size_t length);

#endif
