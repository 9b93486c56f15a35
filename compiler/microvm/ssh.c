/* SPDX-License-Identifier: MIT */
/* ssh: logs in to a VM over its vsock. */
#include <string.h>

#include "backends/interface/backend.h"
#include "base/buf.h"
#include "base/file.h"
#include "compiler/microvm/become.h"
#include "compiler/microvm/host.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/machine.h"

enum { FACT_BYTES = 4096 };

/* The first line of a file of the current runner; NULL when there is none. */
static const char *fact(const struct host *host, const struct machine *machine, const char *name)
{
	const char *path =
		path_join(host->arena, machine_path(host, machine, "current/share/microvm"), name);
	struct bytes bytes;
	if (!path_exists(path) ||
		!file_read(host->arena, diag_new(host->arena), path, FACT_BYTES, &bytes))
		return NULL;
	return arena_strndup(host->arena, bytes.p, strcspn(bytes.p, "\n"));
}

/* The address of the guest's vsock: a number or the path of a socket; NULL: it has no vsock. */
static const char *vsock_of(const struct host *host, const struct machine *machine)
{
	const char *hypervisor = fact(host, machine, "hypervisor"),
		   *cid = fact(host, machine, "vsock-cid");
	const struct backend *backend = hypervisor ? backend_find(hypervisor) : NULL;
	return cid && backend && backend->vsock_socket
		? machine_path(host, machine, backend->vsock_socket)
		: cid;
}

/* ssh runs it in a shell with exec, and expands %. */
static const char *proxy_command(const struct host *host, const char *vsock)
{
	const char *self = link_read(host->arena, "/proc/self/exe");
	BUF_CLEANUP struct buf quoted = {0};
	BUF_CLEANUP struct buf text = {0};
	buf_shell_quote(&quoted, self ? self : "microvm");
	buf_puts(&quoted, " --connect ");
	buf_shell_quote(&quoted, vsock);
	buf_puts(&text, "ProxyCommand=");
	for (const char *c = buf_text(&quoted); *c; c++)
		buf_printf(&text, "%s%c", *c == '%' ? "%" : "", *c);
	return arena_strdup(host->arena, buf_text(&text));
}

/* The user's options come first: for each option, ssh takes the first value. */
static struct strings ssh_arguments(
	const struct host *host, const struct request *request, const char *vsock)
{
	const char *const ours[] = {"-o", "StrictHostKeyChecking=no", "-o",
		"UserKnownHostsFile=/dev/null", "-o", proxy_command(host, vsock), "-l", "root",
		request->name};
	struct strings argv = {0};
	vec_push(host->arena, &argv, "ssh");
	if (request->has_separator)
		strings_add(host->arena, &argv, request->words.v, request->words.n);
	strings_add(host->arena, &argv, ours, countof(ours));
	if (!request->has_separator)
		strings_add(host->arena, &argv, request->words.v, request->words.n);
	vec_push(host->arena, &argv, NULL);
	return argv;
}

bool verb_ssh(struct host *host, const struct request *request)
{
	struct machine machine;
	if (!machine_get(host, request->name, &machine))
		return false;
	const char *vsock = vsock_of(host, &machine);
	if (!vsock)
		return diag_error(host->diag, STATUS_FAILED, NULL, "vsock",
			"%s has no vsock; set vsock.cid in its description", machine.name);
	const struct strings argv = ssh_arguments(host, request, vsock);
	return program_become(host, &argv);
}
