/* SPDX-License-Identifier: MIT */
/*
 * diag_machine: prints messages for other programs. The formats are described by
 * docs/pipelines.md, by
 * https://docs.github.com/actions/reference/workflow-commands-for-github-actions and by
 * https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.
 */
#include <json-c/json.h>
#include <string.h>

#include "base/buf.h"
#include "base/diag_messages.h"
#include "base/json_line.h"

static void set(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static void set_text(struct json_object *object, const char *key, const char *text)
{
	set(object, key, json_line_text(text));
}

static void set_number(struct json_object *object, const char *key, unsigned number)
{
	set(object, key, json_object_new_int64(number));
}

/* The column after the last one of the place. */
static unsigned end_column(const struct pos *where)
{
	return where->column + (where->width ? where->width : 1);
}

static const char did_you_mean[] = "did you mean \"";

/*
 * Returns the correction that a message suggests, or NULL. Every suggestion is phrased in this way.
 */
static const char *suggestion_of(const struct diag *diag, const struct diag_message *message)
{
	const char *start = strstr(message->text, did_you_mean);
	if (!start)
		return NULL;
	start += strlen(did_you_mean);
	return arena_strndup(diag->arena, start, strcspn(start, "\""));
}

/* ---- JSON ---- */

static void add_message(
	const struct diag *diag, struct json_object *object, const struct diag_message *message)
{
	const char *suggestion = suggestion_of(diag, message);
	set_text(object, "message", message->text);
	if (message->where.file)
		set_text(object, "file", message->where.file);
	if (diag_has_place(diag, message)) {
		set_number(object, "line", message->where.line);
		set_number(object, "column", message->where.column);
		set_number(object, "endLine", message->where.line);
		set_number(object, "endColumn", end_column(&message->where));
	}
	if (suggestion)
		set_text(object, "suggestion", suggestion);
}

void diag_print_json(const struct diag *diag, FILE *out, const struct diag_group *group)
{
	struct json_object *object = json_object_new_object(), *notes = json_object_new_array();
	set_text(object, "event", "message");
	set_text(object, "severity", diag_severity_names[group->first->severity]);
	set_text(object, "code", group->first->code);
	add_message(diag, object, group->first);
	for (size_t i = 1; i < group->count; i++) {
		struct json_object *note = json_object_new_object();
		add_message(diag, note, &group->first[i]);
		json_object_array_add(notes, note);
	}
	if (group->count > 1)
		set(object, "notes", notes);
	else
		json_object_put(notes);
	json_line_print(out, object);
}

/* ---- GitHub ---- */

static void put_escaped(FILE *out, const char *text, const char *special)
{
	for (; *text; text++)
		if (strchr(special, *text))
			fprintf(out, "%%%02X", (unsigned char)*text);
		else
			putc(*text, out);
}

static void put_data(FILE *out, const char *text)
{
	put_escaped(out, text, "%\r\n");
}

static void put_property(FILE *out, const char *text)
{
	put_escaped(out, text, "%\r\n:,");
}

/* The text; if it is about an argument, it begins with the argument's name. */
static void put_github_text(const struct diag *diag, FILE *out, const struct diag_message *message)
{
	const char *subject = diag_subject(diag, message);
	if (subject) {
		put_data(out, subject);
		fputs(": ", out);
	}
	put_data(out, message->text);
}

static void put_github_note(const struct diag *diag, FILE *out, const struct diag_message *note)
{
	fputs("%0Anote: ", out);
	if (diag_has_place(diag, note)) {
		put_data(out, note->where.file);
		fprintf(out, ":%u:%u: ", note->where.line, note->where.column);
	}
	put_github_text(diag, out, note);
}

void diag_print_github(const struct diag *diag, FILE *out, const struct diag_group *group)
{
	static const char *const commands[] = {"notice", "warning", "error"};
	const struct diag_message *message = group->first;
	const struct pos *where = &message->where;
	fprintf(out, "::%s ", commands[message->severity]);
	if (where->file && !diag_is_argument(diag, message)) {
		fputs("file=", out);
		put_property(out, where->file);
		putc(',', out);
	}
	if (diag_has_place(diag, message))
		fprintf(out, "line=%u,col=%u,endColumn=%u,", where->line, where->column,
			end_column(where));
	fputs("title=", out);
	put_property(out, message->code);
	fputs("::", out);
	put_github_text(diag, out, message);
	for (size_t i = 1; i < group->count; i++)
		put_github_note(diag, out, &message[i]);
	putc('\n', out);
}

/* ---- SARIF ---- */

static struct json_object *text_object(const char *text)
{
	struct json_object *object = json_object_new_object();
	set_text(object, "text", text);
	return object;
}

/* A path as a reference of RFC 3986; an absolute one as a URI. */
static struct json_object *artifact(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._~/";
	BUF_CLEANUP struct buf uri = {0};
	buf_puts(&uri, *path == '/' ? "file://" : "");
	for (; *path; path++)
		buf_printf(&uri, strchr(plain, *path) ? "%c" : "%%%02X", (unsigned char)*path);
	struct json_object *object = json_object_new_object();
	set_text(object, "uri", buf_text(&uri));
	return object;
}

static struct json_object *region(const struct pos *where)
{
	struct json_object *object = json_object_new_object();
	set_number(object, "startLine", where->line);
	set_number(object, "startColumn", where->column);
	set_number(object, "endLine", where->line);
	set_number(object, "endColumn", end_column(where));
	return object;
}

/* The name of an argument, such as "--set vcpu", as a logical location. */
static struct json_object *argument_location(const char *name)
{
	struct json_object *locations = json_object_new_array(), *one = json_object_new_object();
	set_text(one, "fullyQualifiedName", name);
	set_text(one, "kind", "parameter");
	json_object_array_add(locations, one);
	return locations;
}

static void add_place(
	const struct diag *diag, struct json_object *location, const struct diag_message *message)
{
	const char *file = message->where.file;
	if (!file)
		return;
	if (diag_is_argument(diag, message)) {
		set(location, "logicalLocations", argument_location(file));
		return;
	}
	struct json_object *place = json_object_new_object();
	set(place, "artifactLocation", artifact(file));
	if (diag_has_place(diag, message))
		set(place, "region", region(&message->where));
	set(location, "physicalLocation", place);
}

/* If a message has no place in a file, its text names the file or argument. */
static struct json_object *sarif_text(const struct diag *diag, const struct diag_message *message)
{
	const char *subject = diag_subject(diag, message);
	return text_object(subject ? arena_printf(diag->arena, "%s: %s", subject, message->text)
				   : message->text);
}

static struct json_object *related(const struct diag *diag, const struct diag_message *note)
{
	struct json_object *location = json_object_new_object();
	set(location, "message", sarif_text(diag, note));
	add_place(diag, location, note);
	return location;
}

/*
 * The word that can replace the text at the place, which has only the last part of an option's
 * path: `unknown option "a.c"; did you mean "a.b"?` is at the key c. NULL: none can.
 */
static const char *replacement_of(const struct diag *diag, const struct diag_message *message)
{
	const char *suggestion = suggestion_of(diag, message), *wrong = strchr(message->text, '"');
	if (!suggestion || !diag_has_place(diag, message) || strpbrk(suggestion, " \n"))
		return NULL;
	const char *dot = strrchr(suggestion, '.');
	if (!dot)
		return suggestion;
	const size_t path = (size_t)(dot + 1 - suggestion);
	if (wrong > strstr(message->text, did_you_mean)) /* the option is not quoted */
		return NULL;
	return strncmp(wrong + 1, suggestion, path) == 0 ? dot + 1 : NULL;
}

static void add_fix(
	const struct diag *diag, struct json_object *result, const struct diag_message *message)
{
	const char *suggestion = replacement_of(diag, message);
	if (!suggestion)
		return;
	struct json_object *replacement = json_object_new_object(),
			   *replacements = json_object_new_array(),
			   *change = json_object_new_object(), *changes = json_object_new_array(),
			   *fix = json_object_new_object(), *fixes = json_object_new_array();
	set(replacement, "deletedRegion", region(&message->where));
	set(replacement, "insertedContent", text_object(suggestion));
	json_object_array_add(replacements, replacement);
	set(change, "artifactLocation", artifact(message->where.file));
	set(change, "replacements", replacements);
	json_object_array_add(changes, change);
	set(fix, "description",
		text_object(arena_printf(diag->arena, "replace by \"%s\"", suggestion)));
	set(fix, "artifactChanges", changes);
	json_object_array_add(fixes, fix);
	set(result, "fixes", fixes);
}

static struct json_object *sarif_result(
	const struct diag *diag, const struct diag_group *group, size_t rule)
{
	struct json_object *result = json_object_new_object(), *location = json_object_new_object(),
			   *locations = json_object_new_array(), *notes;
	set_text(result, "ruleId", group->first->code);
	set_number(result, "ruleIndex", (unsigned)rule);
	set_text(result, "level", diag_severity_names[group->first->severity]);
	set(result, "message", sarif_text(diag, group->first));
	add_place(diag, location, group->first);
	if (json_object_object_length(location))
		json_object_array_add(locations, location);
	else
		json_object_put(location);
	set(result, "locations", locations);
	if (group->count > 1) {
		notes = json_object_new_array();
		for (size_t i = 1; i < group->count; i++)
			json_object_array_add(notes, related(diag, &group->first[i]));
		set(result, "relatedLocations", notes);
	}
	add_fix(diag, result, group->first);
	return result;
}

/* Returns the index of the rule with this code; adds it if it is new. */
static size_t find_rule(struct json_object *rules, const char *code)
{
	struct json_object *id;
	const size_t count = json_object_array_length(rules);
	for (size_t i = 0; i < count; i++) {
		json_object_object_get_ex(json_object_array_get_idx(rules, i), "id", &id);
		if (strcmp(json_object_get_string(id), code) == 0)
			return i;
	}
	struct json_object *rule = json_object_new_object();
	set_text(rule, "id", code);
	json_object_array_add(rules, rule);
	return count;
}

void diag_print_sarif(
	const struct diag *diag, FILE *out, const struct diag_group *groups, size_t count)
{
	struct json_object *log = json_object_new_object(), *runs = json_object_new_array(),
			   *run = json_object_new_object(), *tool = json_object_new_object(),
			   *driver = json_object_new_object(), *rules = json_object_new_array(),
			   *results = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_object_array_add(results,
			sarif_result(diag, &groups[i], find_rule(rules, groups[i].first->code)));
	set_text(driver, "name", diag->program);
	set_text(driver, "version", MVM_VERSION);
	set(driver, "rules", rules);
	set(tool, "driver", driver);
	set(run, "tool", tool);
	set_text(run, "columnKind", "unicodeCodePoints");
	set(run, "results", results);
	json_object_array_add(runs, run);
	set_text(log, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	set_text(log, "version", "2.1.0");
	set(log, "runs", runs);
	json_line_print(out, log);
}
