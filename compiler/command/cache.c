/* SPDX-License-Identifier: MIT */
/* cache: the commands that count, trim and verify the cache of compressed store paths. */
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/number.h"
#include "base/printable.h"
#include "compiler/command/commands.h"
#include "compiler/inspect/size_text.h"
#include "compiler/plan/report.h"
#include "compiler/session/cache_settings.h"
#include "imaging/cache/gc.h"
#include "imaging/cache/scan.h"
#include "imaging/cache/verify.h"

const char *command_cache(struct invocation *call)
{
	const char *path = settings_cache(call->arena, call->diag, &call->cli.settings);
	if (!path)
		diag_error(call->diag, STATUS_FAILED, NULL, "unusable-cache",
			"there is no usable cache; name one with --cache");
	return path;
}

static void warn_unknown(struct invocation *call, const struct strings *unknown)
{
	for (size_t i = 0; i < unknown->n; i++)
		diag_warning(call->diag, NULL, "unknown-file",
			"%s does not belong to a cache and was left alone", unknown->v[i]);
}

static struct json_object *number(uint64_t value)
{
	return json_object_new_int64((int64_t)value);
}

static struct json_object *array(const struct strings *strings)
{
	struct json_object *out = json_object_new_array();
	for (size_t i = 0; i < strings->n; i++)
		json_object_array_add(out, json_object_new_string(strings->v[i]));
	return out;
}

static void print_json(struct invocation *call, struct json_object *report)
{
	fputs(report_text(call->arena, report), stdout);
	json_object_put(report);
}

/* ---- stats ---- */

struct total {
	struct cache_amount all, bundled; /* `bundled`: of all, in bundles */
	size_t bundles;
	int64_t oldest, newest; /* uses, seconds since 1970; 0 without objects */
};

static void total_add(struct total *total, const struct cache_object *object)
{
	if (!total->all.objects || object->used < total->oldest)
		total->oldest = object->used;
	if (!total->all.objects || object->used > total->newest)
		total->newest = object->used;
	total->all.objects++;
	total->all.bytes += object->bytes;
	if (object->bundle != SIZE_MAX) {
		total->bundled.objects++;
		total->bundled.bytes += object->bytes;
	}
}

/* The total of one shelf, or of all with SIZE_MAX. */
static struct total total_of(const struct cache_scan *scan, size_t shelf)
{
	struct total total = {0};
	for (size_t i = 0; i < scan->objects.n; i++)
		if (shelf == SIZE_MAX || scan->objects.v[i].shelf == shelf)
			total_add(&total, &scan->objects.v[i]);
	for (size_t i = 0; i < scan->shelves.n; i++)
		if (shelf == SIZE_MAX || i == shelf)
			total.bundles += scan->shelves.v[i].shelf.v.n;
	return total;
}

static const char *day_text(struct arena *arena, int64_t seconds)
{
	char text[32];
	struct tm tm;
	const time_t value = (time_t)seconds;
	if (!gmtime_r(&value, &tm) || strftime(text, sizeof text, "%Y-%m-%d", &tm) == 0)
		return "?";
	return arena_strdup(arena, text);
}

static void print_total(struct arena *arena, const char *name, const struct total *total)
{
	printf("%9zu %10s %9zu %7zu  %-10s  %-10s  %s\n", total->all.objects,
		size_text(arena, total->all.bytes), total->bundled.objects, total->bundles,
		total->all.objects ? day_text(arena, total->oldest) : "-",
		total->all.objects ? day_text(arena, total->newest) : "-", name);
}

static struct json_object *total_json(const struct total *total)
{
	struct json_object *out = json_object_new_object();
	json_object_object_add(out, "objects", number(total->all.objects));
	json_object_object_add(out, "bytes", number(total->all.bytes));
	json_object_object_add(out, "bundledObjects", number(total->bundled.objects));
	json_object_object_add(out, "bundledBytes", number(total->bundled.bytes));
	json_object_object_add(out, "bundles", number(total->bundles));
	json_object_object_add(
		out, "oldestUse", total->all.objects ? json_object_new_int64(total->oldest) : NULL);
	json_object_object_add(
		out, "newestUse", total->all.objects ? json_object_new_int64(total->newest) : NULL);
	return out;
}

static void print_stats_json(
	struct invocation *call, const char *path, const struct cache_scan *scan)
{
	const struct total all = total_of(scan, SIZE_MAX);
	struct json_object *report = total_json(&all), *settings = json_object_new_object();
	json_object_object_add(report, "directory", json_object_new_string(path));
	for (size_t i = 0; i < scan->shelves.n; i++) {
		const struct total total = total_of(scan, i);
		json_object_object_add(settings, scan->shelves.v[i].settings, total_json(&total));
	}
	json_object_object_add(report, "settings", settings);
	json_object_object_add(report, "unknown", array(&scan->unknown));
	print_json(call, report);
}

bool cache_stats(struct invocation *call)
{
	const char *path = command_cache(call);
	if (!path)
		return false;
	struct cache_scan scan = {0};
	const bool ok = (!call->cli.settings.cache_dir && !path_exists(path)) ||
		cache_scan(call->arena, call->diag, path, &scan);
	if (ok && call->cli.json) {
		print_stats_json(call, path, &scan);
	} else if (ok) {
		const struct total all = total_of(&scan, SIZE_MAX);
		printf("%9s %10s %9s %7s  %-10s  %-10s  %s\n", "objects", "size", "bundled",
			"bundles", "oldest use", "newest use", "settings");
		for (size_t i = 0; i < scan.shelves.n; i++) {
			const struct total total = total_of(&scan, i);
			print_total(call->arena, scan.shelves.v[i].settings, &total);
		}
		print_total(call->arena,
			arena_printf(call->arena, "all of %s", printable_text(call->arena, path)),
			&all);
	}
	if (ok && !call->cli.json)
		warn_unknown(call, &scan.unknown);
	cache_scan_end(&scan);
	return ok;
}

/* ---- gc ---- */

static struct json_object *amount_json(const struct cache_amount *amount)
{
	struct json_object *out = json_object_new_object();
	json_object_object_add(out, "objects", number(amount->objects));
	json_object_object_add(out, "bytes", number(amount->bytes));
	return out;
}

static void print_gc(struct invocation *call, const struct cache_gc_result *result)
{
	struct arena *arena = call->arena;
	printf("%s %zu object%s, %s; %zu object%s, %s %s",
		call->cli.dry_run ? "would free" : "freed", result->freed.objects,
		plural(result->freed.objects), size_text(arena, result->freed.bytes),
		result->left.objects, plural(result->left.objects),
		size_text(arena, result->left.bytes), result->left.objects == 1 ? "stays" : "stay");
	if (result->needed.objects)
		printf(", %zu of them, %s, because running builds need them",
			result->needed.objects, size_text(arena, result->needed.bytes));
	putchar('\n');
}

bool cache_collect(struct invocation *call)
{
	const char *path = command_cache(call);
	if (!path)
		return false;
	const struct cli *cli = &call->cli;
	const struct cache_gc_request request = {
		path, cli->max_bytes, cli->max_age_seconds, cli->dry_run};
	struct cache_gc_result result = {0};
	if ((cli->settings.cache_dir || path_exists(path)) &&
		!cache_gc(call->arena, call->diag, &request, &result))
		return false;
	if (!cli->json) {
		print_gc(call, &result);
		warn_unknown(call, &result.unknown);
		return true;
	}
	struct json_object *report = json_object_new_object();
	json_object_object_add(report, "dryRun", json_object_new_boolean(cli->dry_run));
	json_object_object_add(report, "freed", amount_json(&result.freed));
	json_object_object_add(report, "left", amount_json(&result.left));
	json_object_object_add(report, "needed", amount_json(&result.needed));
	json_object_object_add(report, "unknown", array(&result.unknown));
	print_json(call, report);
	return true;
}

/* ---- verify ---- */

static void print_verify(struct invocation *call, const struct cache_verify_result *result)
{
	for (size_t i = 0; i < result->damaged.n; i++)
		printf("damaged: %s\n", printable_text(call->arena, result->damaged.v[i]));
	printf("%zu object%s, %s: ", result->objects, plural(result->objects),
		size_text(call->arena, result->bytes));
	if (!result->damaged.n)
		puts("all sound");
	else
		printf("%zu damaged%s\n", result->damaged.n,
			call->cli.dry_run ? "" : " and removed; the next build packs them again");
}

bool cache_check(struct invocation *call)
{
	const char *path = command_cache(call);
	if (!path)
		return false;
	const struct cli *cli = &call->cli;
	const struct cache_verify_request request = {
		path, settings_jobs(&cli->settings), cli->dry_run};
	struct cache_verify_result result = {0};
	if ((cli->settings.cache_dir || path_exists(path)) &&
		!cache_verify(call->arena, call->diag, &request, &result))
		return false;
	call->status = result.damaged.n ? STATUS_FAILED : STATUS_OK;
	if (!cli->json) {
		print_verify(call, &result);
		warn_unknown(call, &result.unknown);
		return true;
	}
	struct json_object *report = json_object_new_object();
	json_object_object_add(report, "dryRun", json_object_new_boolean(cli->dry_run));
	json_object_object_add(report, "objects", number(result.objects));
	json_object_object_add(report, "bytes", number(result.bytes));
	json_object_object_add(report, "damaged", array(&result.damaged));
	json_object_object_add(report, "unknown", array(&result.unknown));
	print_json(call, report);
	return true;
}
