/* SPDX-License-Identifier: MIT */
/* reports: the commands that report on runners, and on hosts with many of them. */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "compiler/command/host_vms.h"
#include "compiler/inspect/inspect.h"
#include "compiler/plan/report.h"

static void print_json(struct invocation *call, struct json_object *report)
{
	fputs(report_text(call->arena, report), stdout);
	json_object_put(report);
}

/* ---- the VMs of a host ---- */

/* VMs with the same report, such as those with the same closure. */
struct group {
	const char *text, *names;
};

struct host_report {
	struct invocation *call;
	bool (*inspect)(struct invocation *call, struct session *own, struct inspection *report);
	VEC(struct group) groups;
	struct json_object *vms; /* NULL: text is wanted */
	size_t reported, absent; /* VMs */
	const struct diag *said; /* of the first absent one */
};

static void add_text(struct host_report *report, const char *name, const char *text)
{
	struct arena *arena = report->call->arena;
	for (size_t i = 0; i < report->groups.n; i++)
		if (strcmp(report->groups.v[i].text, text) == 0) {
			report->groups.v[i].names =
				arena_printf(arena, "%s, %s", report->groups.v[i].names, name);
			return;
		}
	vec_push(arena, &report->groups,
		(struct group){arena_strdup(arena, text), arena_strdup(arena, name)});
}

static bool visit(void *context, const char *name, struct session *own)
{
	struct host_report *report = context;
	struct invocation *call = report->call;
	struct inspection one = {.wants_json = report->vms != NULL};
	struct diag *said = own->diag = diag_new(call->arena);
	const bool ok = report->inspect(call, own, &one);
	if (report->vms && (ok || one.absent))
		json_object_object_add(report->vms, name, one.json);
	else if (ok || one.absent)
		add_text(report, name, ok ? one.text : "not in the closure\n");
	report->reported += ok;
	report->absent += one.absent;
	if (one.absent && !report->said)
		report->said = said;
	if (!one.absent)
		diag_take(call->diag, said);
	return ok || one.absent;
}

/* That a path is in none of the closures, as it was said of the first VM. */
static bool all_absent(const struct host_report *report)
{
	diag_take(report->call->diag, report->said);
	if (report->absent > 1)
		diag_note(report->call->diag, NULL, "not-in-closure",
			"nor is it in the closure of any other VM of the host");
	return false;
}

static void print_groups(const struct host_report *report)
{
	for (size_t i = 0; i < report->groups.n; i++)
		printf("%s%s:\n%s", i ? "\n" : "",
			printable_text(report->call->arena, report->groups.v[i].names),
			report->groups.v[i].text);
}

static bool report_host(struct host_report *report, const char *host)
{
	struct invocation *call = report->call;
	struct json_object *whole = NULL;
	if (call->cli.json) {
		whole = json_object_new_object();
		report->vms = json_object_new_object();
		json_object_object_add(whole, "vms", report->vms);
	}
	bool ok = host_each_vm(call, host, visit, report);
	if (ok && report->absent && !report->reported)
		ok = all_absent(report);
	if (ok && whole)
		print_json(call, json_object_get(whole));
	else if (ok)
		print_groups(report);
	json_object_put(whole);
	return ok;
}

/* ---- size ---- */

static bool size_of(struct invocation *call, struct session *own, struct inspection *report)
{
	(void)call;
	return inspect_size(own, report);
}

bool report_size(struct invocation *call)
{
	const char *host = host_subject(call);
	struct inspection report = {.wants_json = call->cli.json};
	if (host && call->cli.html)
		return diag_error(call->diag, STATUS_USAGE, NULL, "usage",
			"--html makes a page of one VM, but %s has those of a host; name %s", host,
			host_file(call) ? "the runner or the description of one"
					: arena_printf(call->arena, "%s/runners/NAME", host));
	if (host)
		return report_host(&(struct host_report){.call = call, .inspect = size_of}, host);
	if (call->cli.html)
		return inspect_size_page(&call->session, call->cli.html);
	if (!inspect_size(&call->session, &report))
		return false;
	if (report.json)
		print_json(call, report.json);
	else
		printf("%s: %s", printable_text(call->arena, report.name), report.text);
	return true;
}

/* ---- why ---- */

static const char *path_word(const struct invocation *call)
{
	return call->cli.words.v[call->cli.words.n - 1];
}

static bool why_of(struct invocation *call, struct session *own, struct inspection *report)
{
	return inspect_why(own, path_word(call), report);
}

bool report_why(struct invocation *call)
{
	/* the last word is the path */
	call->session.input.files.n = call->cli.words.n - 1;
	const char *host = host_subject(call);
	struct inspection report = {.wants_json = call->cli.json};
	if (host)
		return report_host(&(struct host_report){.call = call, .inspect = why_of}, host);
	if (!inspect_why(&call->session, path_word(call), &report))
		return false;
	if (report.json)
		print_json(call, report.json);
	else
		fputs(report.text, stdout);
	return true;
}

/* ---- diff ---- */

bool report_diff(struct invocation *call)
{
	const char *const *runners = call->cli.words.v;
	bool differ;
	if (!inspect_diff(call->arena, call->diag, runners[0], runners[1], call->cli.json, &differ))
		return false;
	call->status = differ ? STATUS_DIFFERENT : STATUS_OK;
	return true;
}
