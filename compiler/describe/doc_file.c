/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/file.h"
#include "compiler/describe/doc.h"

struct subject {
	struct arena *arena;
	struct diag *diag;
	const struct pos *where;
	const char *path;
};

static bool has(const struct subject *subject, const char *name)
{
	return path_exists(path_join(subject->arena, subject->path, name));
}

static bool refuse_directory(const struct subject *subject)
{
	static const char *const descriptions[] = {"vm.yaml", "host.yaml", "vm.json"};
	const char *path = subject->path;
	if (has(subject, "bin/microvm-run"))
		return diag_error(subject->diag, STATUS_DESCRIPTION, subject->where, "wrong-kind",
			"%s is a runner, which has been built; start it with %s/bin/microvm-run",
			path, path);
	if (has(subject, "bin/install-host"))
		return diag_error(subject->diag, STATUS_DESCRIPTION, subject->where, "wrong-kind",
			"%s is an output of mvmbuild host; install it with %s/bin/install-host",
			path, path);
	for (size_t i = 0; i < countof(descriptions); i++)
		if (has(subject, descriptions[i]))
			return diag_error(subject->diag, STATUS_DESCRIPTION, subject->where,
				"wrong-kind", "%s is a directory; did you mean \"%s\"?", path,
				path_join(subject->arena, path, descriptions[i]));
	return diag_error(subject->diag, STATUS_DESCRIPTION, subject->where, "wrong-kind",
		"%s is a directory; give the file with the description", path);
}

/* Refuses what strangers give in place of a description, before its text is read as YAML. */
static bool check_kind(const struct subject *subject)
{
	const char *path = subject->path;
	const size_t length = strlen(path);
	if (path_is_directory(path))
		return refuse_directory(subject);
	if (length > 4 && strcmp(path + length - 4, ".nix") == 0 && path_exists(path))
		return diag_error(subject->diag, STATUS_DESCRIPTION, subject->where, "wrong-kind",
			"%s is a Nix expression, but descriptions are YAML or JSON; "
			"docs/nixos.md says how NixOS configurations become VMs",
			path);
	if (strchr(path, '#') && !path_exists(path))
		return diag_error(subject->diag, STATUS_DESCRIPTION, subject->where, "wrong-kind",
			"%s is not a file; a flake reference is built with `nix build`, or with "
			"`microvm --create NAME -f FLAKE`",
			path);
	return true;
}

bool doc_read(struct arena *arena, struct diag *diag, const struct pos *named, const char *path,
	struct documents *documents)
{
	struct bytes text;
	const bool is_stdin = strcmp(path, "-") == 0;
	const struct pos whole = {.file = path};
	const struct subject subject = {arena, diag, named ? named : &whole, path};
	return (is_stdin || check_kind(&subject)) &&
		file_read_at(arena, diag, named, path, DOC_MAX_BYTES, &text) &&
		doc_parse(arena, diag, is_stdin ? "<stdin>" : path, &text, documents);
}
