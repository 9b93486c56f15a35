/* SPDX-License-Identifier: MIT */
#include "compiler/command/commands.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/interrupts.h"
#include "base/printable.h"
#include "compiler/check/check.h"
#include "compiler/command/docgen.h"
#include "compiler/command/init.h"
#include "compiler/fleet/fleet.h"
#include "compiler/plan/report.h"
#include "compiler/session/build.h"
#include "compiler/session/depfile.h"
#include "compiler/session/session.h"

static bool plan_and_build(struct session *session, struct runner_result *result)
{
	struct progress progress;
	progress_begin(&progress, &session->cli);
	if (!session_plan(session))
		return false;
	const char *output = session->cli.output
		? session->cli.output
		: arena_printf(session->arena, "result-%s", session->vm->host_name);
	if (!build_runner(session, &progress, output, result))
		return false;
	return !session->cli.depfile ||
		depfile_write(session->arena, session->diag, session->cli.depfile, output,
			&session->cli.arguments, &session->plan);
}

static bool build(struct session *session, struct runner_result *result)
{
	session->shared = shared_new();
	const bool ok = plan_and_build(session, result);
	shared_free(session->shared);
	session->shared = session->plan.shared = NULL;
	return ok;
}

static bool run_build(struct session *session)
{
	struct runner_result result = {0};
	if (!build(session, &result))
		return false;
	printf("%s\n", result.path);
	return true;
}

static bool run_vm(struct session *session)
{
	struct runner_result result = {0};
	if (!build(session, &result))
		return false;
	diag_print(session->diag, stderr, session->cli.format, session->cli.quiet);
	const char *script = path_join(session->arena, result.path, "bin/microvm-run");
	interrupts_forget();
	execl(script, script, (char *)NULL);
	return diag_error(session->diag, STATUS_FAILED, NULL, "run", "cannot start %s: %s", script,
		strerror(errno));
}

static void print_matrix(struct json_object *matrix)
{
	json_object_object_foreach(matrix, name, reasons)
	{
		size_t count = json_object_array_length(reasons);
		printf("%-18s %s\n", name, count ? "no" : "yes");
		for (size_t i = 0; i < count; i++)
			printf("%-18s %s\n", "",
				json_object_get_string(json_object_array_get_idx(reasons, i)));
	}
}

static bool check_matrix(struct session *session)
{
	if (!session_read(session))
		return false;
	struct json_object *matrix = vm_matrix(session->arena, session->vm, session->storage);
	if (session->cli.json)
		fputs(report_text(session->arena, matrix), stdout);
	else
		print_matrix(matrix);
	json_object_put(matrix);
	return true;
}

static bool run_check(struct session *session)
{
	if (session->cli.matrix)
		return check_matrix(session);
	return session_check(session);
}

/* ---- plan ---- */

static void print_strings(struct arena *arena, const char *title, struct json_object *array)
{
	printf("%s:\n", title);
	for (size_t i = 0; i < json_object_array_length(array); i++)
		printf("  %s\n",
			printable_text(arena,
				json_object_get_string(json_object_array_get_idx(array, i))));
}

static void print_plan(struct arena *arena, const struct plan *plan)
{
	const struct kernel *kernel = &plan->system.kernel;
	printf("%s on %s: %s\n", plan->vm->host_name, plan->backend->name,
		printable_text(arena, plan->system.toplevel));
	printf("kernel: %s (%s, %s%s%s)\n", printable_text(arena, kernel->path),
		kernel_format_name(kernel->format), kernel_arch_name(kernel->arch),
		kernel->version ? ", " : "",
		kernel->version ? printable_text(arena, kernel->version) : "");
	printf("initrd: %s\n",
		plan->own_stage1 ? "our stage 1" : printable_text(arena, plan->system.initrd));
	printf("closure: %zu store paths, from %s\n", plan->closure.n,
		printable_text(arena, plan->closure.source));
	printf("disks:\n");
	for (size_t i = 0; i < plan->guest.ndisks; i++)
		printf("  %s %s%s\n", printable_text(arena, plan->guest.disks[i].serial),
			printable_text(arena, plan->guest.disks[i].file.path),
			plan->guest.disks[i].read_only ? " (read-only)" : "");
	printf("mounts:\n");
	for (size_t i = 0; i < plan->mounts.n; i++)
		printf("  %s %s %s\n", printable_text(arena, plan->mounts.v[i].stage1.target),
			plan->mounts.v[i].stage1.type,
			printable_text(arena, plan->mounts.v[i].stage1.source));
	struct json_object *command = report_command(arena, &plan->lowered.command);
	print_strings(arena, "command", command);
	json_object_put(command);
}

/* Before there is a system: its own configuration says what it mounts. */
static bool plan_mounts(struct session *session)
{
	if (!session_check(session))
		return false;
	struct json_object *report = report_storage(session->arena, session->vm, session->storage);
	fputs(report_text(session->arena, report), stdout);
	json_object_put(report);
	return true;
}

static bool run_plan(struct session *session)
{
	if (session->cli.mounts)
		return plan_mounts(session);
	if (!session_plan(session))
		return false;
	if (!session->cli.json) {
		print_plan(session->arena, &session->plan);
		return true;
	}
	struct json_object *report = report_plan(session->arena, &session->plan);
	fputs(report_text(session->arena, report), stdout);
	json_object_put(report);
	return true;
}

static bool run_init(struct session *session)
{
	const struct strings *arguments = &session->cli.arguments;
	struct strings written = {0};
	if (!init_write(session->arena, session->diag, arguments->n > 0 ? arguments->v[0] : "vm",
		    arguments->n > 1 ? arguments->v[1] : ".", &written))
		return false;
	for (size_t i = 0; i < written.n; i++)
		printf("%s\n", written.v[i]);
	return true;
}

static bool run_schema(struct session *session)
{
	struct json_object *schema = session->cli.host ? docgen_fleet_schema(session->arena)
						       : docgen_schema(session->arena);
	fputs(report_text(session->arena, schema), stdout);
	json_object_put(schema);
	return true;
}

static bool run_options(struct session *session)
{
	if (session->cli.host)
		docgen_fleet_options(stdout);
	else
		docgen_options(session->arena, stdout);
	return true;
}

static bool run_host(struct session *session)
{
	struct fleet *fleet = arena_alloc(session->arena, sizeof *fleet);
	const char *output = session->cli.output ? session->cli.output : "result-host";
	bool changed,
		ok = fleet_plan(session, fleet) && fleet_build(session, fleet, output, &changed);
	fleet_free(fleet);
	if (!ok)
		return false;
	if (!session->cli.quiet)
		fprintf(stderr, changed ? "%zu VMs\n" : "%zu VMs, nothing has changed\n",
			fleet->vms.n);
	printf("%s\n", path_absolute(session->arena, output));
	return true;
}

bool command_run(struct session *session)
{
	static bool (*const runs[])(struct session *) = {
		[COMMAND_BUILD] = run_build,
		[COMMAND_CHECK] = run_check,
		[COMMAND_PLAN] = run_plan,
		[COMMAND_RUN] = run_vm,
		[COMMAND_SIZE] = command_size,
		[COMMAND_WHY] = command_why,
		[COMMAND_DIFF] = command_diff,
		[COMMAND_INIT] = run_init,
		[COMMAND_HOST] = run_host,
		[COMMAND_CACHE_STATS] = cache_stats,
		[COMMAND_CACHE_GC] = cache_collect,
		[COMMAND_CACHE_VERIFY] = cache_check,
		[COMMAND_SCHEMA] = run_schema,
		[COMMAND_OPTIONS] = run_options,
	};
	return runs[session->cli.command](session);
}
