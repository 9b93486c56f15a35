/* SPDX-License-Identifier: MIT */
/*
 * nix: queries Nix's own programs, and through them its daemon, for users who may not read the
 * database.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"
#include "compiler/closure/source.h"

/* The kernel limits a command line, on most machines to 2 MiB; a path has up to 300 bytes. */
enum { PATHS_AT_ONCE = 2000 };

struct command {
	const char **v;
	size_t n, capacity;
};

static void command_add(struct arena *arena, struct command *command, const char *word)
{
	vec_push(arena, command, word);
}

static struct command command_new(struct arena *arena, const char *const *words, size_t n)
{
	struct command command = {0};
	for (size_t i = 0; i < n; i++)
		command_add(arena, &command, words[i]);
	return command;
}

static void command_add_roots(struct closure_table *table, struct command *command)
{
	for (size_t i = 0; i < table->nroots; i++)
		command_add(table->arena, command, table->entries.v[i].info.path);
}

static bool run(struct closure_table *table, struct command *command, struct process_result *result)
{
	command_add(table->arena, command, NULL);
	if (process_run(table->arena, table->diag, command->v, result))
		return true;
	table->errors++;
	return false;
}

static enum source_result broken(
	struct closure_table *table, const char *what, const struct process_result *result)
{
	closure_error(table, NULL, "nix-failed", "%s failed with status %d: %s", what,
		result->exit_status, result->error.n ? result->error.p : "it printed no error");
	return SOURCE_BROKEN;
}

/*
 * Without a daemon or a database, Nix would create an empty store in the user's home directory and
 * know no path.
 */
static bool is_installed(struct arena *arena, const char *state_dir)
{
	const char *remote = getenv("NIX_REMOTE"),
		   *database = path_join(arena, state_dir, "db/db.sqlite");
	return (remote && *remote) ||
		path_exists(path_join(arena, state_dir, "daemon-socket/socket")) ||
		(path_exists(database) && access(database, R_OK) != 0);
}

/* Reports the roots that Nix does not know; SOURCE_ABSENT if the query itself fails. */
static enum source_result check_roots(struct closure_table *table)
{
	static const char *const words[] = {"nix-store", "--check-validity", "--print-invalid"};
	struct command command = command_new(table->arena, words, countof(words));
	struct process_result result;
	command_add_roots(table, &command);
	if (!run(table, &command, &result))
		return SOURCE_BROKEN;
	if (result.exit_status != 0)
		return SOURCE_ABSENT;
	for (const char *line = result.output.p; *line;) {
		size_t length = strcspn(line, "\n");
		closure_error(table, NULL, "closure-incomplete",
			"%.*s is not a valid path of the Nix store", (int)length, line);
		line += length + (line[length] == '\n');
	}
	return result.output.n ? SOURCE_BROKEN : SOURCE_READ;
}

static bool has_derivation(const struct closure_table *table)
{
	for (size_t i = 0; i < table->nroots; i++) {
		const char *dot = strrchr(table->entries.v[i].info.name, '.');
		if (dot && strcmp(dot, ".drv") == 0)
			return true;
	}
	return false;
}

/*
 * `nix path-info` returns everything in one call, but it is experimental, and for a .drv it
 * describes the outputs.
 */
static enum source_result ask_path_info(struct closure_table *table)
{
	static const char *const words[] = {"nix", "--extra-experimental-features", "nix-command",
		"path-info", "--json", "--recursive"};
	struct command command = command_new(table->arena, words, countof(words));
	struct process_result result;
	if (has_derivation(table))
		return SOURCE_ABSENT;
	command_add_roots(table, &command);
	if (!run(table, &command, &result))
		return SOURCE_BROKEN;
	if (result.exit_status != 0)
		return SOURCE_ABSENT;
	table->source = "nix path-info";
	return closure_json_load(table, table->source, &result.output) ? SOURCE_READ
								       : SOURCE_BROKEN;
}

/* Appends the paths of the closure to `paths`. */
static enum source_result ask_requisites(struct closure_table *table, struct command *paths)
{
	static const char *const words[] = {"nix-store", "--query", "--requisites"};
	struct command command = command_new(table->arena, words, countof(words));
	struct process_result result;
	command_add_roots(table, &command);
	if (!run(table, &command, &result))
		return SOURCE_BROKEN;
	if (result.exit_status != 0)
		return broken(table, "nix-store --query --requisites", &result);
	for (const char *line = result.output.p; *line;) {
		size_t length = strcspn(line, "\n");
		command_add(table->arena, paths, arena_strndup(table->arena, line, length));
		line += length + (line[length] == '\n');
	}
	return SOURCE_READ;
}

/*
 * `nix-store --dump-db` works with every version of Nix, but prints neither signatures nor content
 * addresses.
 */
static enum source_result ask_dump(struct closure_table *table)
{
	static const char *const words[] = {"nix-store", "--dump-db"};
	struct command paths = {0};
	enum source_result asked = ask_requisites(table, &paths);
	table->source = "nix-store --dump-db";
	for (size_t i = 0; asked == SOURCE_READ && i < paths.n; i += PATHS_AT_ONCE) {
		struct command command = command_new(table->arena, words, countof(words));
		struct process_result result;
		for (size_t j = i; j < paths.n && j < i + PATHS_AT_ONCE; j++)
			command_add(table->arena, &command, paths.v[j]);
		if (!run(table, &command, &result))
			return SOURCE_BROKEN;
		if (result.exit_status != 0)
			return broken(table, table->source, &result);
		if (!closure_text_load(table, table->source, &result.output))
			return SOURCE_BROKEN;
	}
	return asked;
}

enum source_result closure_nix_load(struct closure_table *table, const char *state_dir)
{
	if (table->nroots == 0 || !is_installed(table->arena, state_dir))
		return SOURCE_ABSENT;
	enum source_result result = check_roots(table);
	if (result != SOURCE_READ)
		return result;
	result = ask_path_info(table);
	return result == SOURCE_ABSENT ? ask_dump(table) : result;
}
