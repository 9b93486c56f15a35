/* SPDX-License-Identifier: MIT */
/*
 * mvmbuild: a description of a microVM in, a runner directory out.
 * docs/architecture.md is the map of the sources.
 */
#include <stdio.h>

#include "base/interrupts.h"
#include "base/plain_output.h"
#include "compiler/command/commands.h"
#include "compiler/session/progress.h"

static enum status run(struct invocation *call, int argc, char *argv[])
{
	bool ok = cli_parse(call->arena, call->diag, argc, argv, stdout, &call->cli);
	if (call->cli.settings.progress == PROGRESS_JSON)
		interrupts_report_as_event();
	if (ok && !call->cli.help && !call->cli.version)
		ok = command_run(call);
	const enum output output = output_finish();
	if (output == OUTPUT_FAILED)
		ok = diag_error(call->diag, STATUS_FAILED, NULL, "output",
			"cannot write to standard output");
	const enum status status =
		ok && diag_error_count(call->diag) == 0 ? call->status : diag_failure(call->diag);
	diag_print(call->diag, stderr, call->cli.format, call->cli.settings.quiet);
	progress_result(&call->cli.settings, status, call->output, call->changed);
	if (output == OUTPUT_UNREAD && status == call->status)
		output_end_unread();
	return status;
}

int main(int argc, char *argv[])
{
	interrupts_clean_up(argc, argv);
	interrupts_handle();
	struct arena *arena = arena_new();
	struct invocation call = {.arena = arena, .diag = diag_new(arena)};
	enum status status = run(&call, argc, argv);
	arena_free(arena);
	return (int)status;
}
