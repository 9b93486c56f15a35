/* SPDX-License-Identifier: MIT */
#include "compiler/command/docgen.h"

#include <stdlib.h>
#include <string.h>

#include "backends/interface/backend.h"
#include "compiler/describe/options.h"
#include "compiler/storage/file_systems.h"

/* ---- option reference ---- */

const char *docgen_kind_name(const struct option *option)
{
	static const char *const names[] = {
		[OPTION_STRING] = "text",
		[OPTION_BOOL] = "true or false",
		[OPTION_INT] = "number",
		[OPTION_UINT] = "number",
		[OPTION_MIB] = "size",
		[OPTION_ENUM] = NULL,
		[OPTION_BACKEND] = NULL,
		[OPTION_STRINGS] = "list of texts",
		[OPTION_PAIRS] = "map of texts",
		[OPTION_TREE] = "any value",
		[OPTION_GROUP] = "map",
		[OPTION_LIST] = "list of maps",
		[OPTION_NONE] = "anything",
		[OPTION_MAP] = "map of maps",
	};
	return names[option->kind];
}

const char *docgen_argument(const struct option *option)
{
	static const char *const paths[] = {[PATH_OTHER] = NULL,
		[PATH_FROM_FILE] = "path, relative to the description",
		[PATH_FROM_STATE] = "path, relative to the state directory"};
	static const char store_path[] = "store path, relative to the description";
	const bool is_store_path = option->arg && strcmp(option->arg, "store path") == 0;
	if (!option->base)
		return option->arg;
	return is_store_path ? store_path : paths[option->base];
}

static void print_type(FILE *out, const struct option *option)
{
	if (option->choices)
		for (const char *const *choice = option->choices; *choice; choice++)
			fprintf(out, "%s`%s`", choice == option->choices ? "" : ", ", *choice);
	else {
		fputs(docgen_kind_name(option), out);
		if (docgen_argument(option))
			fprintf(out, " (%s)", docgen_argument(option));
	}
	if (option->kind == OPTION_INT || option->kind == OPTION_UINT)
		fprintf(out, " from %lld to %lld", (long long)option->minimum,
			(long long)option->maximum);
}

static void print_default(FILE *out, const struct option *option)
{
	if (option->required && option->unless)
		fprintf(out, "; must be given, unless `%s` is", option->unless);
	else if (option->required)
		fputs("; must be given", out);
	else if (option->def_doc)
		fprintf(out, "; default: %s", option->def_doc);
	else if (option->def)
		fprintf(out, "; default: `%s`", option->def);
}

static void print_table(FILE *out, const struct option *table, const char *prefix)
{
	for (; table->name; table++) {
		char *name;
		if (asprintf(&name, "%s%s", prefix, table->name) < 0)
			abort();
		if (table->kind != OPTION_GROUP) {
			fprintf(out, "### `%s`\n\n%s\n\n", name, table->doc);
			if (table->state == OPTION_GENERATED)
				fputs("Ignored, with a note.\n\n", out);
			else if (table->state == OPTION_REMOVED)
				fputs("Removed.\n\n", out);
			else {
				fputs("Type: ", out);
				print_type(out, table);
				print_default(out, table);
				fputs(".\n\n", out);
			}
			if (table->code)
				fputs("The value is shell code, run on the host.\n\n", out);
		}
		if (table->sub) {
			char *inner;
			if (asprintf(&inner, "%s%s.", name,
				    table->kind == OPTION_LIST          ? "[]"
					    : table->kind == OPTION_MAP ? ".NAME"
									: "") < 0)
				abort();
			print_table(out, table->sub, inner);
			free(inner);
		}
		free(name);
	}
}

/* ---- hypervisors ---- */

static void print_capability(FILE *out, const struct capability *capability)
{
	static const char *const words[] = {
		[CAN_NOT] = "no", [CAN] = "yes", [CAN_WHEN] = "yes", [CAN_IGNORE] = "ignored"};
	const char *reason = capability->can == CAN ? NULL : capability->reason;
	fprintf(out, " | %s%s%s", words[capability->can], reason ? ": " : "", reason ? reason : "");
}

static void print_hypervisors(FILE *out)
{
	fputs("## Hypervisors\n\n| |", out);
	for (const struct backend *const *backend = backends; *backend; backend++)
		fprintf(out, " %s |", (*backend)->name);
	fputs("\n|---|", out);
	for (const struct backend *const *backend = backends; *backend; backend++)
		fputs("---|", out);
	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		fprintf(out, "\n| %s", feature_name((enum feature)i));
		for (const struct backend *const *backend = backends; *backend; backend++)
			print_capability(out, &(*backend)->capabilities[i]);
		fputs(" |", out);
	}
	fputs("\n| tested", out);
	for (const struct backend *const *backend = backends; *backend; backend++)
		fprintf(out, " | %s", (*backend)->tested);
	fputs(" |\n", out);
}

/* ---- file systems of volumes ---- */

static void print_file_system(FILE *out, const struct file_system *system)
{
	fprintf(out, "| %s | ", system->name);
	if (!system->mkfs)
		fputs("no | | ", out);
	else if (system->in_process)
		fprintf(out, "at build time | %llu MiB | ",
			(unsigned long long)system->minimum_mib);
	else
		fprintf(out, "by %s, at the first start | %llu MiB | ", system->mkfs,
			(unsigned long long)system->minimum_mib);
	if (system->label_bytes)
		fprintf(out, "%zu bytes%s%s", system->label_bytes, system->label_can ? ": " : "",
			system->label_can ? system->label_can : "");
	fprintf(out, " | %s |\n", system->no_overlay ? "no" : "yes");
}

static void print_file_systems(FILE *out)
{
	fputs("## File systems of volumes\n\nAn existing image can have any file system that the "
	      "guest's kernel can mount.\n\n"
	      "| | created | smallest size | longest label | can hold the writable store |\n"
	      "|---|---|---|---|---|\n",
		out);
	for (const struct file_system *system = file_systems; system->name; system++)
		print_file_system(out, system);
	fputs("\n", out);
}

/* ---- whole documents ---- */

enum { COLUMNS = 100 };

/* Breaks lines of prose at blanks, but not headings and tables. */
static void print_wrapped(FILE *out, const char *text)
{
	while (*text) {
		const size_t length = strcspn(text, "\n");
		size_t shown = length;
		if (length > COLUMNS && !strchr("#|", *text)) {
			shown = COLUMNS;
			while (shown && text[shown] != ' ')
				shown--;
			if (!shown)
				shown = strcspn(text, " \n");
		}
		fprintf(out, "%.*s\n", (int)shown, text);
		text += shown + (text[shown] != '\0');
	}
}

static void print_document(FILE *out, const char *head, const struct option *table, bool is_vm)
{
	char *text = NULL;
	size_t length;
	FILE *document = open_memstream(&text, &length);
	if (!document)
		abort();
	fputs(head, document);
	print_table(document, table, "");
	if (is_vm) {
		print_file_systems(document);
		print_hypervisors(document);
	}
	if (fclose(document) != 0)
		abort();
	print_wrapped(out, text);
	free(text);
}

#define PATHS_ARE_RELATIVE \
	"A relative path to something that the build reads, such as `toplevel` and `kernel`, is " \
	"relative to the file that contains it; one that the VM uses when it runs, such as the " \
	"`image` of a volume, the `source` of a share and every socket, is relative to the VM's " \
	"state directory, where `microvm-run` is started."

void docgen_options(struct arena *arena, FILE *out)
{
	print_document(out,
		"# Options\n\nEvery option of a description, printed by `mvmbuild options`. Names "
		"and meanings are those of the `microvm.*` options of microvm.nix, where it has "
		"them. "
		"`null` means that an option is not given, unless its text says "
		"otherwise.\n\n" PATHS_ARE_RELATIVE "\n\n",
		vm_options(arena), true);
}

void docgen_fleet_options(FILE *out)
{
	print_document(out,
		"# Host files\n\nEvery option of a file for `mvmbuild host`, printed by `mvmbuild "
		"options --host`.\n\n",
		fleet_options, false);
}
