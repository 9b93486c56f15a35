/* SPDX-License-Identifier: MIT */
/* host_vms: the VMs of a host, for commands that also report on each VM alone. */
#ifndef MVM_COMPILER_COMMAND_HOST_VMS_H
#define MVM_COMPILER_COMMAND_HOST_VMS_H

#include "compiler/command/commands.h"

/* The host file that is given in place of a description; NULL: it is not one. */
const char *host_file(const struct invocation *call);
/* The same, or the output of `mvmbuild host` that is given in place of a runner. */
const char *host_subject(const struct invocation *call);

/* Called with a session for one VM, whose memory is released after the call; false after an error.
 */
typedef bool host_visit(void *context, const char *name, struct session *own);
/* Visits all VMs of a host file, or of a host's output, even after an error. */
bool host_each_vm(struct invocation *call, const char *host, host_visit *visit, void *context);

#endif
