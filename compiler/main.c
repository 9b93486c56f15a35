/* SPDX-License-Identifier: MIT */
/*
 * mvmbuild: a description of a microVM in, a runner directory out.
 * docs/architecture.md is the map of the sources.
 */
#include <stdio.h>

#include "base/interrupts.h"
#include "compiler/command/commands.h"
#include "compiler/session/session.h"

static enum status run(struct session *session, int argc, char *argv[])
{
	bool ok = cli_parse(session->arena, session->diag, argc, argv, stdout, &session->cli);
	if (ok && !session->cli.help && !session->cli.version)
		ok = command_run(session);
	if (fflush(stdout) != 0 || ferror(stdout))
		ok = diag_error(session->diag, STATUS_FAILED, NULL, "output",
			"cannot write to standard output");
	const enum status status = ok && diag_error_count(session->diag) == 0
		? session->status
		: diag_failure(session->diag);
	diag_print(session->diag, stderr, session->cli.format, session->cli.quiet);
	return status;
}

int main(int argc, char *argv[])
{
	interrupts_clean_up(argc, argv);
	interrupts_handle();
	struct arena *arena = arena_new();
	struct session session = {.arena = arena, .diag = diag_new(arena)};
	enum status status = run(&session, argc, argv);
	arena_free(arena);
	return (int)status;
}
