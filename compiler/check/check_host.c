/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "compiler/check/checks.h"

enum { USER_BYTES = 32 }; /* LOGIN_NAME_MAX is longer, but useradd(8) takes no more */

void check_socket(const struct checker *checker)
{
	const char *socket = checker->vm->socket;
	const struct pos *where = vm_where(checker->vm, &checker->vm->socket);
	if (!where || !socket)
		return;
	if (!*socket || strchr(socket, '\n'))
		wrong(checker, where, "bad-socket",
			"socket: expected a path on one line; null: no socket");
	else if (strlen(socket) > SOCKET_PATH_BYTES)
		wrong(checker, where, "bad-socket",
			"socket: the path has %zu bytes, a socket's at most %d; a path relative to "
			"the state directory is shorter",
			strlen(socket), SOCKET_PATH_BYTES);
}

void check_user(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (vm->user)
		check_name(checker, vm_where(vm, &vm->user), "user", vm->user, USER_BYTES);
	check_name(checker, vm_where(vm, &vm->host_user), "hostUser", vm->host_user, USER_BYTES);
	if (vm->host_group)
		check_name(checker, vm_where(vm, &vm->host_group), "hostGroup", vm->host_group,
			USER_BYTES);
}

void check_bin_scripts(const struct checker *checker)
{
	static const char *const ours[] = {"microvm-run", "microvm-shutdown", "microvm-balloon",
		"microvm-check", "microvm-register", "microvm-unregister"};
	const struct pairs *scripts = &checker->vm->bin_scripts;
	for (size_t i = 0; i < scripts->n; i++) {
		const struct pos *where = vm_where(checker->vm, scripts->v[i].key);
		check_name(checker, where, "binScripts", scripts->v[i].key, 64);
		for (size_t k = 0; k < countof(ours); k++)
			if (strcmp(scripts->v[i].key, ours[k]) == 0)
				wrong(checker, where, "bad-name",
					"binScripts: %s is made by mvmbuild", ours[k]);
		/* An exported description brings the reference's. */
		if (strcmp(scripts->v[i].key, "virtiofsd-run") == 0)
			diag_warning(checker->diag, where, "ignored",
				"binScripts: virtiofsd-run is made by mvmbuild, whose microvm-run "
				"starts it; this one is ignored");
	}
}

void check_host_path(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	/* Of one variable, as of one argument, Linux passes 131071 bytes; PATH has more in it. */
	size_t bytes = 0;
	for (size_t i = 0; i < vm->host_path.n; i++)
		bytes += strlen(vm->host_path.v[i]) + 1;
	if (bytes > 65000)
		wrong(checker, vm_where(vm, &vm->host_path), "too-long",
			"hostPath: %zu bytes; at most 65000 fit into PATH", bytes);
	for (size_t i = 0; i < vm->host_path.n; i++)
		if (vm->host_path.v[i][0] != '/' || strpbrk(vm->host_path.v[i], ":\n"))
			wrong(checker, vm_where(vm, vm->host_path.v[i]), "bad-path",
				"hostPath[%zu]: \"%.80s\" is no absolute path without ':'", i,
				vm->host_path.v[i]);
	if (vm->host_shell[0] != '/' || strchr(vm->host_shell, '\n'))
		wrong(checker, vm_where(vm, &vm->host_shell), "bad-path",
			"hostShell: \"%.80s\" is no absolute path", vm->host_shell);
}
