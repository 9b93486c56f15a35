/* SPDX-License-Identifier: MIT */
#include "compiler/command/commands.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/interrupts.h"
#include "base/number.h"
#include "base/printable.h"
#include "compiler/check/check.h"
#include "compiler/command/docgen.h"
#include "compiler/command/schema.h"
#include "compiler/command/host_vms.h"
#include "compiler/command/init.h"
#include "compiler/command/nixgen.h"
#include "compiler/command/option_help.h"
#include "compiler/describe/options.h"
#include "compiler/fleet/fleet.h"
#include "compiler/plan/report.h"
#include "compiler/plan/summary.h"
#include "compiler/session/build.h"
#include "compiler/session/depfile.h"
#include "compiler/session/session.h"

/* ---- building ---- */

/* Only a build shows the progress of planning. */
static bool plan(struct session *session, struct progress *progress)
{
	session->meter = progress_meter(progress);
	progress_step_begin(progress, STEP_CLOSURE);
	const bool ok = session_plan(session);
	session->meter = NULL;
	progress_clear(progress);
	return ok;
}

/* Whether a runner of this plan starts on this machine. */
static bool check_here(struct diag *diag, const struct plan *plan)
{
	const struct vm *vm = plan->vm;
	if (plan->guest.on_mac)
		return diag_error(diag, STATUS_INPUT, vm_where(vm, &vm->hypervisor), "foreign-host",
			"this %s runs on macOS, not on this host; run \"mvmbuild build\", and "
			"start "
			"the runner there",
			plan->backend->name);
	return plan->host_arch == KERNEL_HOST_ARCH ||
		diag_error(diag, STATUS_INPUT, vm_where(vm, &vm->host_system), "foreign-host",
			"hostSystem: the runner is for %s hosts, and this is an %s one; run "
			"\"mvmbuild build\", and start the runner there",
			kernel_arch_name(plan->host_arch), kernel_arch_name(KERNEL_HOST_ARCH));
}

static bool plan_and_build(struct invocation *call, struct runner_result *result)
{
	const struct cli *cli = &call->cli;
	struct session *session = &call->session;
	struct progress progress;
	struct inputs inputs;
	progress_begin(&progress, &cli->settings);
	inputs_begin(&inputs);
	if (!plan(session, &progress))
		return false;
	if (cli->command == COMMAND_RUN && !check_here(call->diag, &session->plan))
		return false;
	inputs_collect(call->arena, &cli->words, &session->plan, &inputs);
	const char *output = cli->output
		? cli->output
		: arena_printf(call->arena, "result-%s", session->vm->host_name);
	if (cli->depfile && !depfile_check(call->arena, call->diag, cli->depfile, output))
		return false;
	/* Before the runner: a build that fails leaves the old one. */
	if (cli->depfile && !depfile_write(call->arena, call->diag, cli->depfile, output, &inputs))
		return false;
	if (!build_runner(session, &progress, output, result))
		return false;
	inputs_settle(call->arena, &inputs, result->path);
	call->output = result->path;
	call->changed = !result->up_to_date;
	return true;
}

static bool build(struct invocation *call, struct runner_result *result)
{
	struct session *session = &call->session;
	session->shared = shared_new();
	const bool ok = plan_and_build(call, result);
	shared_free(session->shared);
	session->shared = session->plan.shared = NULL;
	return ok;
}

static bool run_build(struct invocation *call)
{
	struct runner_result result = {0};
	if (!build(call, &result))
		return false;
	printf("%s\n", result.path);
	return true;
}

static bool run_vm(struct invocation *call)
{
	struct runner_result result = {0};
	if (!build(call, &result))
		return false;
	diag_print(call->diag, stderr, call->cli.format, call->cli.settings.quiet);
	progress_result(&call->cli.settings, STATUS_OK, call->output, call->changed);
	const char *script = path_join(call->arena, result.path, "bin/microvm-run");
	interrupts_forget();
	execl(script, script, (char *)NULL);
	return diag_error(call->diag, STATUS_FAILED, NULL, "run", "cannot start %s: %s", script,
		strerror(errno));
}

/* ---- check ---- */

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

/* NULL after an error */
static struct json_object *matrix_of(struct session *session)
{
	return session_read(session) ? vm_matrix(session->arena, session->vm, session->storage)
				     : NULL;
}

static void print_json(struct arena *arena, struct json_object *report)
{
	fputs(report_text(arena, report), stdout);
	json_object_put(report);
}

static bool check_matrix(struct session *session, bool json)
{
	struct json_object *matrix = matrix_of(session);
	if (!matrix)
		return false;
	if (json)
		print_json(session->arena, json_object_get(matrix));
	else
		print_matrix(matrix);
	json_object_put(matrix);
	return true;
}

struct host_report {
	struct json_object *(*make)(struct session *);
	struct json_object *vms;
};

static bool add_report(void *context, const char *name, struct session *own)
{
	const struct host_report *report = context;
	struct json_object *one = report->make(own);
	json_object_object_add(report->vms, name, one);
	return one;
}

/* Makes a report on each VM of a host, below the VM's name: {"vms": {...}}; NULL after an error. */
static struct json_object *report_host(
	struct invocation *call, const char *file, struct json_object *(*make)(struct session *))
{
	struct host_report report = {make, json_object_new_object()};
	struct json_object *whole = json_object_new_object();
	json_object_object_add(whole, "vms", report.vms);
	if (host_each_vm(call, file, add_report, &report))
		return whole;
	json_object_put(whole);
	return NULL;
}

static bool check_host_matrix(struct invocation *call, const char *file)
{
	struct json_object *whole = report_host(call, file, matrix_of);
	const char *between = "";
	if (!whole)
		return false;
	json_object_object_foreach(json_object_object_get(whole, "vms"), name, matrix)
	{
		if (call->cli.json)
			break;
		printf("%s%s:\n", between, printable_text(call->arena, name));
		print_matrix(matrix);
		between = "\n";
	}
	if (call->cli.json)
		print_json(call->arena, json_object_get(whole));
	json_object_put(whole);
	return true;
}

static bool check_host(struct invocation *call, const char *file)
{
	struct fleet *fleet = arena_alloc(call->arena, sizeof *fleet);
	const bool ok = (call->cli.syntax ? fleet_check : fleet_plan)(&call->session, file, fleet);
	fleet_free(fleet);
	return ok;
}

static bool run_check(struct invocation *call)
{
	const char *host = host_file(call);
	if (host)
		return (call->cli.matrix ? check_host_matrix : check_host)(call, host);
	if (call->cli.matrix)
		return check_matrix(&call->session, call->cli.json);
	return call->cli.syntax ? session_check(&call->session) : session_plan(&call->session);
}

/* ---- plan ---- */

static void print_plan(struct arena *arena, const struct plan *plan, const char *runner)
{
	fputs(plan_summary(arena, plan, path_absolute(arena, runner)), stdout);
}

struct host_plans {
	const char *output;
	struct json_object *vms; /* NULL: text is printed */
};

/* All plans were made before, to find mistakes; each is made again, because only one is kept. */
static bool plan_one(struct invocation *call, const struct fleet *fleet, const struct fleet_vm *vm,
	const struct host_plans *plans)
{
	struct session own;
	struct arena *arena = arena_new();
	const bool ok = fleet_plan_vm(&call->session, fleet, vm, arena, call->diag, &own);
	if (ok && plans->vms)
		json_object_object_add(plans->vms, vm->name, report_plan(arena, &own.plan));
	else if (ok)
		print_plan(arena, &own.plan,
			arena_printf(arena, "%s/runners/%s", plans->output, vm->name));
	arena_free(arena);
	return ok;
}

static bool plan_host(struct invocation *call, const char *file)
{
	struct fleet *fleet = arena_alloc(call->arena, sizeof *fleet);
	struct host_plans plans = {.output = "result-host"};
	bool ok = fleet_plan(&call->session, file, fleet);
	if (ok && call->cli.json)
		plans.vms = json_object_new_object();
	for (size_t i = 0; ok && i < fleet->vms.n; i++) {
		if (i && !call->cli.json)
			fputs("\n", stdout);
		ok = plan_one(call, fleet, &fleet->vms.v[i], &plans);
	}
	if (!ok)
		json_object_put(plans.vms);
	else if (plans.vms) {
		struct json_object *whole = json_object_new_object();
		json_object_object_add(whole, "vms", plans.vms);
		print_json(call->arena, whole);
	}
	fleet_free(fleet);
	return ok;
}

/* The configuration of the guest reads this report, so the guest may not be built yet. */
static struct json_object *mounts_of(struct session *session)
{
	session->input.no_system = true;
	return session_check(session)
		? report_storage(session->arena, session->vm, session->storage)
		: NULL;
}

static bool plan_mounts(struct invocation *call, const char *host)
{
	struct json_object *report =
		host ? report_host(call, host, mounts_of) : mounts_of(&call->session);
	if (report)
		print_json(call->arena, report);
	return report != NULL;
}

static bool run_plan(struct invocation *call)
{
	struct session *session = &call->session;
	const char *host = host_file(call);
	if (call->cli.mounts)
		return plan_mounts(call, host);
	if (host)
		return plan_host(call, host);
	if (!session_plan(session))
		return false;
	if (call->cli.json)
		print_json(session->arena, report_plan(session->arena, &session->plan));
	else
		print_plan(session->arena, &session->plan,
			arena_printf(session->arena, "result-%s", session->vm->host_name));
	return true;
}

/* ---- without a VM ---- */

static bool run_init(struct invocation *call)
{
	const struct strings *arguments = &call->cli.words;
	struct strings written = {0};
	if (!init_write(call->arena, call->diag, arguments->n > 0 ? arguments->v[0] : "vm",
		    arguments->n > 1 ? arguments->v[1] : ".", &written))
		return false;
	for (size_t i = 0; i < written.n; i++)
		printf("%s\n", written.v[i]);
	return true;
}

static bool run_schema(struct invocation *call)
{
	if (call->cli.host && call->cli.part)
		return diag_error(call->diag, STATUS_USAGE, NULL, "usage",
			"schema: --host and --part exclude each other; a host file has no parts");
	struct json_object *schema = call->cli.host ? schema_fleet(call->arena)
		: call->cli.part                    ? schema_part(call->arena)
						    : schema_vm(call->arena);
	fputs(report_text(call->arena, schema), stdout);
	json_object_put(schema);
	return true;
}

static bool run_options(struct invocation *call)
{
	if (call->cli.nix && (call->cli.host || call->cli.words.n))
		return diag_error(call->diag, STATUS_USAGE, NULL, "usage",
			"options: --nix prints all options of a description; remove %s",
			call->cli.host ? "--host" : "the name");
	if (call->cli.nix) {
		nixgen_options(call->arena, stdout);
		return true;
	}
	if (call->cli.words.n)
		return option_help(call->arena, call->diag,
			call->cli.host ? fleet_options : vm_options(call->arena),
			call->cli.words.v[0], stdout);
	if (call->cli.host)
		docgen_fleet_options(stdout);
	else
		docgen_options(call->arena, stdout);
	return true;
}

static bool build_host(
	struct invocation *call, struct progress *progress, struct fleet *fleet, const char *output)
{
	const char *depfile = call->cli.depfile;
	if (depfile && !depfile_check(call->arena, call->diag, depfile, output))
		return false;
	/* Before the host: a build that fails leaves the old one. */
	if (depfile && !depfile_write(call->arena, call->diag, depfile, output, &fleet->inputs))
		return false;
	if (!fleet_build(&call->session, progress, fleet, output, &call->changed))
		return false;
	call->output = path_absolute(call->arena, output);
	inputs_settle(call->arena, &fleet->inputs, call->output);
	return true;
}

static bool run_host(struct invocation *call)
{
	struct fleet *fleet = arena_alloc(call->arena, sizeof *fleet);
	const char *output = call->cli.output ? call->cli.output : "result-host";
	struct progress progress;
	progress_begin(&progress, &call->cli.settings);
	progress_step_begin(&progress, STEP_CLOSURE);
	call->session.meter = progress_meter(&progress);
	bool ok = fleet_plan(&call->session, call->cli.words.v[0], fleet);
	progress_clear(&progress);
	if (ok && call->cli.dry_run)
		fleet_print_changes(&call->session, fleet, output);
	else if (ok)
		ok = build_host(call, &progress, fleet, output);
	fleet_free(fleet);
	if (!ok || call->cli.dry_run)
		return ok;
	if (!call->cli.settings.quiet && progress.style != PROGRESS_JSON)
		fprintf(stderr, "%zu VM%s%s\n", fleet->vms.n, plural(fleet->vms.n),
			call->changed ? "" : ", nothing has changed");
	printf("%s\n", call->output);
	return true;
}

/* ---- */

bool command_run(struct invocation *call)
{
	static bool (*const runs[])(struct invocation *) = {
		[COMMAND_BUILD] = run_build,
		[COMMAND_CHECK] = run_check,
		[COMMAND_PLAN] = run_plan,
		[COMMAND_RUN] = run_vm,
		[COMMAND_SIZE] = report_size,
		[COMMAND_WHY] = report_why,
		[COMMAND_DIFF] = report_diff,
		[COMMAND_INIT] = run_init,
		[COMMAND_HOST] = run_host,
		[COMMAND_LINK] = command_link,
		[COMMAND_CACHE_PACK] = cache_pack,
		[COMMAND_CACHE_STATS] = cache_stats,
		[COMMAND_CACHE_GC] = cache_collect,
		[COMMAND_CACHE_VERIFY] = cache_check,
		[COMMAND_SCHEMA] = run_schema,
		[COMMAND_OPTIONS] = run_options,
	};
	const struct cli *cli = &call->cli;
	call->session = (struct session){.arena = call->arena,
		.diag = call->diag,
		.input = {.files = cli->words, .sets = cli->sets, .hypervisor = cli->hypervisor},
		.settings = cli->settings};
	return runs[cli->command](call);
}
