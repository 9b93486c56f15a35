/* SPDX-License-Identifier: MIT */
#include "compiler/command/option_help.h"

#include <string.h>

#include "backends/interface/backend.h"
#include "base/buf.h"
#include "base/help.h"
#include "compiler/command/docgen.h"
#include "compiler/describe/hint.h"
#include "compiler/describe/options.h"

/* ---- hypervisors ---- */

/*
 * The features that options need. An option below a listed one needs that one's feature, unless it
 * is listed itself.
 */
static const struct {
	const char *option;
	enum feature feature;
} needs[] = {
	{"cpu", FEATURE_CPU},
	{"hugepageMem", FEATURE_HUGEPAGES},
	{"hotplugMem", FEATURE_HOTPLUG_MEMORY},
	{"hotpluggedMem", FEATURE_HOTPLUG_MEMORY},
	{"balloon", FEATURE_BALLOON},
	{"deflateOnOOM", FEATURE_BALLOON},
	{"initialBalloonMem", FEATURE_INITIAL_BALLOON},
	{"machineId", FEATURE_MACHINE_ID},
	{"credentialFiles", FEATURE_CREDENTIALS},
	{"vsock", FEATURE_VSOCK},
	{"vsock.notify", FEATURE_NOTIFY},
	{"startupTimeout", FEATURE_NOTIFY},
	{"graphics", FEATURE_GRAPHICS},
	{"volumes.readOnly", FEATURE_READ_ONLY_VOLUMES},
	{"volumes.direct", FEATURE_DIRECT},
	{"volumes.serial", FEATURE_SERIAL},
	{"storeDisk.device", FEATURE_PMEM},
	{"storeDisk.direct", FEATURE_STORE_DIRECT},
	{"volumes.imageType", FEATURE_QCOW2},
	{"volumes.imageType", FEATURE_VHD},
	{"interfaces.type", FEATURE_USER_NETWORK},
	{"interfaces.type", FEATURE_TAP},
	{"interfaces.type", FEATURE_MACVTAP},
	{"interfaces.type", FEATURE_BRIDGE},
	{"interfaces.tap.vhost", FEATURE_VHOST_NET},
	{"interfaces.macvtap", FEATURE_MACVTAP},
	{"forwardPorts", FEATURE_FORWARD_PORTS},
	{"shares.proto", FEATURE_9P},
	{"shares.proto", FEATURE_VIRTIOFS},
	{"shares.socket", FEATURE_VIRTIOFS},
	{"shares.securityModel", FEATURE_9P},
	{"shares.cache", FEATURE_VIRTIOFS},
	{"shares.posixAcl", FEATURE_VIRTIOFS},
	{"shares.extraArgs", FEATURE_VIRTIOFS},
	{"shares.dax", FEATURE_SHARE_DAX},
	{"virtiofsd", FEATURE_VIRTIOFS},
	{"devices.bus", FEATURE_PCI_DEVICES},
	{"devices.bus", FEATURE_USB_DEVICES},
	{"user", FEATURE_USER},
};

static bool covers(const char *need, const char *option)
{
	const size_t length = strlen(need);
	return strncmp(need, option, length) == 0 && (!option[length] || option[length] == '.');
}

/* Returns the most specific row for an option, or NULL. */
static const char *need_of(const char *option)
{
	const char *best = NULL;
	for (size_t i = 0; i < countof(needs); i++)
		if (covers(needs[i].option, option) &&
			(!best || strlen(needs[i].option) > strlen(best)))
			best = needs[i].option;
	return best;
}

static void print_support(FILE *out, enum feature feature)
{
	static const char *const words[] = {
		[CAN_NOT] = "no", [CAN] = "yes", [CAN_WHEN] = "yes", [CAN_IGNORE] = "ignored"};
	for (const struct backend *const *backend = backends; *backend; backend++) {
		const struct capability *can = &(*backend)->capabilities[feature];
		const char *reason = can->can == CAN ? NULL : can->reason;
		BUF_CLEANUP struct buf text = {0};
		buf_printf(
			&text, "%s%s%s", words[can->can], reason ? ", " : "", reason ? reason : "");
		help_item(out, (*backend)->name, buf_text(&text));
	}
}

static const char *owner_of(const char *option)
{
	for (const struct backend *const *backend = backends; *backend; backend++)
		if (covers((*backend)->name, option))
			return (*backend)->name;
	return "all";
}

static void print_hypervisors(FILE *out, const char *option)
{
	const char *need = need_of(option);
	if (!need)
		help_item(out, "hypervisors", owner_of(option));
	for (size_t i = 0; need && i < countof(needs); i++) {
		if (strcmp(needs[i].option, need) != 0)
			continue;
		fprintf(out, "\nhypervisors with %s:\n", feature_name(needs[i].feature));
		print_support(out, needs[i].feature);
	}
}

/* ---- one option ---- */

static const char *type_of(struct arena *arena, const struct option *option)
{
	const char *type = docgen_kind_name(option);
	if (option->choices) {
		type = "";
		for (const char *const *choice = option->choices; *choice; choice++)
			type = arena_printf(arena, "%s%s%s", type, *type ? ", " : "", *choice);
	}
	if (docgen_argument(option))
		type = arena_printf(arena, "%s (%s)", type, docgen_argument(option));
	if (option->kind == OPTION_INT || option->kind == OPTION_UINT)
		type = arena_printf(arena, "%s from %lld to %lld", type, (long long)option->minimum,
			(long long)option->maximum);
	return type;
}

static const char *default_of(const struct option *option)
{
	return option->required   ? "none, it must be given"
		: option->def_doc ? option->def_doc
		: option->def     ? option->def
				  : "not given";
}

static void print_option(
	struct arena *arena, FILE *out, const struct option *option, const char *path, bool is_vm)
{
	const bool is_map = option->sub != NULL;
	fprintf(out, "%s\n\n", path);
	if (option->state == OPTION_REMOVED)
		help_text(out, arena_printf(arena, "Removed: %s.", option->doc));
	else
		help_text(out, option->doc);
	if (option->state != OPTION_READY) {
		fputs(option->state == OPTION_GENERATED ? "\nIt is ignored, with a note.\n" : "",
			out);
		return;
	}
	fputs("\n", out);
	help_item(out, "type", type_of(arena, option));
	if (!is_map)
		help_item(out, "default", default_of(option));
	if (option->code)
		help_item(out, "note", "the value is shell code, run on the host");
	if (is_vm)
		print_hypervisors(out, path);
	if (is_map)
		fputs("\noptions:\n", out);
	for (const struct option *row = option->sub; row && row->name; row++)
		help_item(out, row->name, row->doc);
}

/* The canonical path, without the numbers of elements: "volumes.size". */
static const char *canonical(struct arena *arena, const struct option *table, const char *name)
{
	const char *path = "";
	while (table && *name) {
		const struct option *row = option_first(table, name);
		path = arena_printf(arena, "%s%s%s", path, *path ? "." : "", row->name);
		name = option_path_rest(name, row);
		table = row->sub;
	}
	return path;
}

/* ---- unknown names ---- */

static bool unknown(
	struct arena *arena, struct diag *diag, const struct option *table, const char *name)
{
	struct hint_place place = {table, table, ""};
	const char *rest = name;
	for (const struct option *row; (row = option_first(place.table, rest)) && row->sub;) {
		rest = option_path_rest(rest, row);
		place.table = row->sub;
		place.path = arena_strndup(arena, name, (size_t)(rest - name));
	}
	const size_t length = strlen(place.path);
	if (length)
		place.path = arena_strndup(arena, name, length - (name[length - 1] == '.'));
	const char *hint = hint_find(arena, &place, rest).text;
	return diag_error(diag, STATUS_USAGE, NULL, "unknown-option",
		"there is no option \"%.200s\"%s", name, *hint ? hint : "; see mvmbuild options");
}

bool option_help(struct arena *arena, struct diag *diag, const struct option *table,
	const char *name, FILE *out)
{
	static const char wrapper[] = "microvm.";
	name += strncmp(name, wrapper, strlen(wrapper)) == 0 ? strlen(wrapper) : 0;
	const struct option *option = option_at(table, name);
	if (!option)
		return unknown(arena, diag, table, name);
	print_option(arena, out, option, canonical(arena, table, name), table != fleet_options);
	return true;
}
