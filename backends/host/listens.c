/* SPDX-License-Identifier: MIT */
#include "host.h"
#include "peer.h"

enum { LIMIT_MS = 1000 };

/* Whoever asks removes the socket when nobody listens; when that cannot be told, it is somebody's. */
int verb_listens(char **arguments)
{
	struct peer peer;
	struct reason why;
	enum peer_status status = peer_open(&peer, arguments[0], clock_ms() + LIMIT_MS, &why);
	peer_close(&peer);
	if (status == PEER_BROKEN)
		complain("%s: %s", arguments[0], why.text);
	return status == PEER_GONE ? STATUS_FAILED : STATUS_OK;
}
