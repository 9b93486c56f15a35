/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/source.h"

#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "compiler/microvm/custody.h"
#include "compiler/microvm/links.h"
#include "compiler/microvm/roots.h"
#include "compiler/microvm/runners.h"
#include "compiler/session/build.h"

#define DEFAULT_FLAKE "git+file:///etc/nixos"
#define DEFAULT_FLAKE_FILE "/etc/nixos/flake.nix"

enum { SOURCE_BYTES = 64 * 1024 };

/* ---- as given ---- */

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);
	return length >= tail && strcmp(text + length - tail, end) == 0;
}

static bool looks_like_path(const char *text)
{
	return text[0] == '/' || strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0 ||
		strcmp(text, ".") == 0 || strcmp(text, "..") == 0 || ends_with(text, ".yaml") ||
		ends_with(text, ".yml") || ends_with(text, ".json");
}

/* The description in a directory: NAME.yaml, else vm.yaml; NULL: none. */
static const char *description_in(const struct host *host, const char *directory, const char *name)
{
	static const char *const endings[] = {"yaml", "yml", "json"};
	const char *const names[] = {name, "vm"};
	for (size_t i = 0; i < countof(names); i++)
		for (size_t k = 0; names[i] && k < countof(endings); k++) {
			const char *path = path_join(host->arena, directory,
				arena_printf(host->arena, "%s.%s", names[i], endings[k]));
			if (path_exists(path))
				return path;
		}
	return NULL;
}

static bool has_flake(const struct host *host, const char *directory)
{
	return path_exists(path_join(host->arena, directory, "flake.nix"));
}

bool source_parse(const struct host *host, const char *text, struct source *source)
{
	*source = (struct source){SOURCE_FLAKE, text ? text : DEFAULT_FLAKE};
	if (!text && !path_exists(DEFAULT_FLAKE_FILE))
		return diag_error(host->diag, STATUS_USAGE, NULL, "usage",
			"--create needs -f SOURCE: a description, a directory with one, or a flake "
			"(its default is the flake in /etc/nixos, which does not exist)");
	if (!text || (!path_exists(text) && !looks_like_path(text)))
		return !text || *text ||
			diag_error(host->diag, STATUS_USAGE, NULL, "usage",
				"--source needs a description or a flake");
	if (strpbrk(text, "\n\r"))
		return diag_error(host->diag, STATUS_USAGE, NULL, "bad-source",
			"the name of a source must not contain a line break");
	source->text = path_absolute(host->arena, text);
	if (!path_exists(text))
		return diag_error(host->diag, STATUS_INPUT, NULL, "bad-source", "%s does not exist",
			source->text);
	if (!path_is_directory(text) || !has_flake(host, text))
		source->kind = SOURCE_DESCRIPTION;
	return true;
}

/* ---- as remembered ---- */

static bool read_line(const struct host *host, const char *path, const char **text)
{
	struct bytes bytes;
	if (!file_read(host->arena, host->diag, path, SOURCE_BYTES, &bytes))
		return false;
	*text = arena_strndup(host->arena, bytes.p, strcspn(bytes.p, "\n"));
	return **text ||
		diag_error(host->diag, STATUS_INPUT, NULL, "bad-source", "%s is empty", path);
}

bool source_read(const struct host *host, const char *directory, struct source *source)
{
	*source = (struct source){0};
	if (custody_counts(host, directory, "toplevel")) {
		*source = (struct source){SOURCE_DECLARED,
			link_read(host->arena, path_join(host->arena, directory, "toplevel"))};
		return true;
	}
	const char *name = custody_counts(host, directory, "source") ? "source"
		: custody_counts(host, directory, "flake")           ? "flake"
								     : NULL;
	if (!name)
		return true;
	source->kind = strcmp(name, "flake") == 0 ? SOURCE_FLAKE : SOURCE_DESCRIPTION;
	return read_line(host, path_join(host->arena, directory, name), &source->text);
}

bool source_write(const struct host *host, const char *directory, const struct source *source)
{
	/* Without a line break, as microvm.nix writes it. */
	const char *name = source->kind == SOURCE_FLAKE ? "flake" : "source";
	return file_rewrite(host->arena, host->diag, path_join(host->arena, directory, name),
		source->text, strlen(source->text), 0644);
}

/* ---- descriptions ---- */

/* Plans the description in a session that uses `arena`. */
static bool plan_description(const struct host *host, struct arena *arena, const char *path,
	const char *name, struct session *session)
{
	const char *description = path_is_directory(path) ? description_in(host, path, name) : path;
	if (!description)
		return diag_error(host->diag, STATUS_INPUT, NULL, "bad-source",
			"%s has no %s.yaml, vm.yaml, vm.json or flake.nix", path, name);
	*session = (struct session){.arena = arena, .diag = host->diag, .settings = host->settings};
	vec_push(arena, &session->input.files, description);
	return session_plan(session);
}

static bool fill_product(
	const struct host *host, const struct session *session, struct product *product)
{
	const char *fingerprint = runner_fingerprint(session->arena, host->diag, &session->plan);
	if (fingerprint)
		*product = (struct product){.fingerprint = arena_strdup(host->arena, fingerprint),
			.system = arena_strdup(host->arena,
				session->plan.system.rootfs ? session->plan.system.rootfs
							    : session->plan.system.toplevel)};
	return fingerprint;
}

/* The VM's directory and units have its name; the description has another one. */
static void compare_names(const struct host *host, const struct session *session, const char *name)
{
	const char *own = session->plan.vm->host_name;
	if (strcmp(own, name) != 0)
		diag_warning(host->diag, NULL, "host-name",
			"the VM is called \"%s\" and its description's hostName is \"%s\": the "
			"guest, the hypervisor's process and the sockets have the latter",
			name, own);
}

static bool build_description(const struct host *host, const char *path, const char *name,
	const char *directory, struct product *product)
{
	struct session *session = arena_alloc(host->arena, sizeof *session);
	struct progress progress;
	struct runner_result result = {0};
	if (!plan_description(host, host->arena, path, name, session) ||
		!fill_product(host, session, product))
		return false;
	compare_names(host, session, name);
	progress_begin(&progress, &session->settings);
	product->target = runner_place(host->arena, product->fingerprint);
	session->settings.gcroot_dir = roots_of_runner(host, name, product->fingerprint);
	session->settings.gcroot = session->settings.gcroot_dir;
	const char *runners = path_join(host->arena, directory, RUNNERS);
	return directory_make(host->diag, runners, 0755) && custody_check(host, runners) &&
		build_runner(session, &progress, path_join(host->arena, directory, product->target),
			&result);
}

/* A plan is large: each has an arena of its own, so that the memory is freed. */
static bool description_wanted(
	const struct host *host, const char *path, const char *name, struct product *product)
{
	struct arena *arena = arena_new();
	struct diag *own = diag_new(arena);
	struct host inner = *host;
	inner.diag = own;
	struct session session;
	bool ok = plan_description(&inner, arena, path, name, &session) &&
		fill_product(&inner, &session, product);
	if (!ok)
		diag_error(host->diag, diag_failure(own), NULL, "bad-source", "%s",
			diag_summary(arena, own));
	arena_free(arena);
	return ok;
}

/* ---- either ---- */

static bool nothing_to_build(const struct host *host, const struct source *source, const char *name)
{
	if (source->kind == SOURCE_DECLARED)
		return diag_error(host->diag, STATUS_FAILED, NULL, "declared",
			"%s is declared by the host's configuration; change it there", name);
	return diag_error(host->diag, STATUS_FAILED, NULL, "bad-source",
		"the source of %s is not known; create the VM again", name);
}

const char *product_runner(
	const struct host *host, const char *directory, const struct product *product)
{
	return product->target[0] == '/' ? product->target
					 : path_join(host->arena, directory, product->target);
}

bool source_build(const struct host *host, const struct source *source, const char *name,
	const char *directory, struct product *product)
{
	*product = (struct product){0};
	if (source->kind == SOURCE_DESCRIPTION)
		return build_description(host, source->text, name, directory, product);
	return source->kind == SOURCE_FLAKE
		? flake_build(host, source->text, name, directory, product)
		: nothing_to_build(host, source, name);
}

bool source_wanted(const struct host *host, const struct source *source, const char *name,
	struct product *product)
{
	*product = (struct product){.system = source->text}; /* of a VM that the host declares */
	if (source->kind == SOURCE_DESCRIPTION)
		return description_wanted(host, source->text, name, product);
	return source->kind != SOURCE_FLAKE || flake_wanted(host, source->text, name, product);
}
