/* SPDX-License-Identifier: MIT */
#include "backends/runtime/base/runtime.h"
#include "backends/runtime/base/unix_socket.h"

/*
 * The caller removes a socket that no process listens on, so if that cannot be determined, it
 * counts as in use.
 */
int verb_listens(char **arguments)
{
	struct reason why;
	enum unix_owner owner = unix_owner(arguments[0], &why);
	if (owner == UNIX_UNKNOWN)
		complain("%s: %s: cannot determine whether a VM uses it; remove it if none is "
			 "running",
			arguments[0], why.text);
	return owner == UNIX_NOBODY ? STATUS_FAILED : STATUS_OK;
}
