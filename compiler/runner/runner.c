/* SPDX-License-Identifier: MIT */
#include "compiler/runner/runner.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ending.h"
#include "base/file.h"
#include "base/own.h"
#include "base/staging.h"
#include "compiler/images/disk_image.h"
#include "compiler/plan/report.h"
#include "compiler/runner/gcroots.h"
#include "compiler/runner/host_facts.h"
#include "compiler/runner/manifest.h"
#include "compiler/runner/script.h"
#include "compiler/storage/storage.h"
#include "templates/embedded.h"

struct writer {
	struct arena *arena;
	struct diag *diag;
	const struct plan *plan;
	const struct runner_scripts *scripts;
	const char *directory; /* the staging directory */
	const char *common;    /* see struct image_settings */
};

static bool put(
	const struct writer *writer, const char *name, const void *bytes, size_t count, mode_t mode)
{
	return file_write(writer->diag, path_join(writer->arena, writer->directory, name), bytes,
		count, mode);
}

static bool put_text(const struct writer *writer, const char *name, const char *text)
{
	return put(writer, name, text, strlen(text), 0444);
}

/* ---- the fingerprint: the same inputs make the same runner ---- */

static void hash_text(EVP_MD_CTX *hash, const char *text)
{
	EVP_DigestUpdate(hash, text ? text : "", text ? strlen(text) + 1 : 1);
}

static bool hash_file(struct shared *shared, struct diag *diag, EVP_MD_CTX *hash, const char *path)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	return shared_digest(shared, diag, path, digest) &&
		EVP_DigestUpdate(hash, digest, sizeof digest) == 1;
}

static void hash_scripts(EVP_MD_CTX *hash, const struct runner_scripts *scripts)
{
	for (size_t i = 0; i < scripts->n; i++) {
		hash_text(hash, scripts->v[i].name);
		hash_text(hash, scripts->v[i].text);
	}
}

static bool hash_inputs(struct arena *arena, struct diag *diag, EVP_MD_CTX *hash,
	const struct plan *plan, const struct runner_scripts *scripts)
{
	const struct system *system = &plan->system;
	hash_text(hash, MVM_VERSION);
	EVP_DigestUpdate(hash, &(const unsigned char){MANIFEST_VERSION}, 1);
	hash_text(hash, embedded_digest);
	for (size_t i = 0; i < plan->closure.n; i++) {
		hash_text(hash, plan->closure.v[i].path);
		hash_text(hash, plan->closure.v[i].nar_hash);
	}
	EVP_DigestUpdate(hash, &plan->time, sizeof plan->time);
	bool ok = hash_file(plan->shared, diag, hash, system->kernel.path);
	if (system->initrd)
		ok &= hash_file(plan->shared, diag, hash, system->initrd);
	for (size_t i = 0; i < plan->modules.n; i++)
		ok &= hash_file(plan->shared, diag, hash, plan->modules.v[i].path);
	hash_scripts(hash, scripts);
	struct json_object *report = report_plan(arena, plan);
	json_object_object_del(report, "closure"); /* its source does not change the runner */
	hash_text(hash, json_object_to_json_string_ext(report, JSON_C_TO_STRING_PLAIN));
	json_object_put(report);
	return ok;
}

/* Returns NULL after an error. */
static const char *fingerprint(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct runner_scripts *scripts)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	bool ok = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
		hash_inputs(arena, diag, hash, plan, scripts) &&
		EVP_DigestFinal_ex(hash, digest, &size) == 1;
	EVP_MD_CTX_free(hash);
	return ok ? arena_hex(arena, digest, size) : NULL;
}

const char *runner_fingerprint(struct arena *arena, struct diag *diag, const struct plan *plan)
{
	struct runner_scripts scripts;
	scripts_make(arena, plan, &scripts);
	return fingerprint(arena, diag, plan, &scripts);
}

/* ---- an existing runner ---- */

const char *runner_fingerprint_of(struct arena *arena, const char *path)
{
	struct json_object *manifest = manifest_peek(arena, path);
	const char *text = manifest ? manifest_text(manifest, "fingerprint") : "";
	text = *text ? arena_strdup(arena, text) : NULL;
	json_object_put(manifest);
	return text;
}

static bool is_up_to_date(struct arena *arena, const char *runner, const char *wanted,
	const struct image_settings *settings)
{
	const char *fingerprint = settings->force ? NULL : runner_fingerprint_of(arena, runner);
	return fingerprint && strcmp(fingerprint, wanted) == 0 &&
		own_seal_holds(arena, runner, !settings->no_sync);
}

/* ---- writing ---- */

static bool write_scripts(const struct writer *writer)
{
	const struct runner_scripts *scripts = writer->scripts;
	bool ok = true;
	for (size_t i = 0; ok && i < scripts->n; i++)
		ok = put(writer, arena_printf(writer->arena, "bin/%s", scripts->v[i].name),
			scripts->v[i].text, strlen(scripts->v[i].text), 0555);
	return ok;
}

struct program {
	struct diag *diag;
	const struct embedded_file *file;
};

static bool make_program(void *context, const char *path)
{
	const struct program *program = context;
	return file_write(program->diag, path, program->file->begin,
		(size_t)(program->file->end - program->file->begin), 0555);
}

/* Writes libexec/NAME, one of the programs embedded in this one, for the host. */
static bool write_program(const struct writer *writer, const char *name)
{
	const char *target = path_join(
		writer->arena, writer->directory, arena_printf(writer->arena, "libexec/%s", name));
	const struct embedded_file *file = program_embedded(name, writer->plan->host_arch);
	if (!file)
		return diag_error(writer->diag, STATUS_FAILED, NULL, "internal",
			"this program does not contain %s", name);
	struct program program = {writer->diag, file};
	const struct shared_file shared = {
		writer->common, file->name, target, make_program, &program};
	return shared_file(writer->plan->shared, writer->diag, &shared);
}

static bool write_host_programs(const struct writer *writer)
{
	if (writer->plan->guest.on_mac) {
		const char *text = script_macos_host(writer->arena, writer->plan);
		return put(writer, "libexec/mvm-host", text, strlen(text), 0555);
	}
	return write_program(writer, "mvm-host") &&
		(writer->plan->storage->nix.database != NIX_DATABASE_HOST_OVERLAY ||
			write_program(writer, NIX_DB_PROGRAM));
}

/* Lists the store paths that the host needs besides the runner, one per line. */
static bool write_needed(const struct writer *writer)
{
	const struct strings needed = gcroots_needed(writer->arena, writer->plan);
	BUF_CLEANUP struct buf text = {0};
	for (size_t i = 0; i < needed.n; i++)
		buf_printf(&text, "%s\n", needed.v[i]);
	return put(writer, RUNNER_NEEDED, buf_text(&text), text.n, 0444);
}

static bool write_facts(const struct writer *writer)
{
	struct json_object *description = report_vm(writer->arena, writer->plan->vm);
	bool ok = facts_write(writer->arena, writer->diag, writer->plan, writer->directory) &&
		put_text(writer, RUNNER_DESCRIPTION, report_text(writer->arena, description));
	json_object_put(description);
	return ok && write_needed(writer);
}

static void list_file(struct json_object *files, const struct writer *writer, const char *name)
{
	struct stat st;
	const char *path = path_join(writer->arena, writer->directory, name);
	if (stat(path, &st) == 0)
		json_object_object_add(files, name, json_object_new_int64(st.st_size));
	else
		ending_unless_absent(path, errno);
}

static struct json_object *manifest_files(const struct writer *writer)
{
	const char *const fixed[] = {"libexec/mvm-host", "libexec/" NIX_DB_PROGRAM,
		storage_store_disk(writer->plan->vm), RUNNER_INITRD, RUNNER_KERNEL, RUNNER_VMLINUX,
		RUNNER_LINK_LIST, RUNNER_DESCRIPTION};
	struct json_object *files = json_object_new_object();
	for (size_t i = 0; i < writer->scripts->n; i++)
		list_file(files, writer,
			arena_printf(writer->arena, "bin/%s", writer->scripts->v[i].name));
	for (size_t i = 0; i < countof(fixed); i++)
		list_file(files, writer, fixed[i]);
	for (size_t i = 0; i < writer->plan->created.n; i++)
		if (writer->plan->created.v[i].archive)
			list_file(files, writer, writer->plan->created.v[i].archive);
	return files;
}

static bool write_manifest(
	const struct writer *writer, const char *wanted, const struct image_results *results)
{
	struct json_object *manifest;
	if (!manifest_make(writer->arena, writer->diag, writer->plan, results, &manifest))
		return false;
	json_object_object_add(manifest, "fingerprint", json_object_new_string(wanted));
	json_object_object_add(manifest, "files", manifest_files(writer));
	bool ok = put_text(writer, RUNNER_MANIFEST, report_text(writer->arena, manifest));
	json_object_put(manifest);
	return ok;
}

static bool make_directories(const struct writer *writer)
{
	static const char *const names[] = {"bin", "libexec", RUNNER_SHARE};
	for (size_t i = 0; i < countof(names); i++)
		if (!directory_make(writer->diag,
			    path_join(writer->arena, writer->directory, names[i]), 0755))
			return false;
	const char *empty = writer->plan->lowered.empty_directory;
	return !empty ||
		directory_make(
			writer->diag, path_join(writer->arena, writer->directory, empty), 0755);
}

/* Images are created writable by their owner. */
static bool make_read_only(const struct writer *writer)
{
	struct strings names = {0};
	const char *disk = storage_store_disk(writer->plan->vm);
	const char *const fixed[] = {disk, RUNNER_INITRD};
	strings_add(writer->arena, &names, fixed, countof(fixed));
	for (size_t i = 0; i < writer->plan->created.n; i++)
		if (writer->plan->created.v[i].archive)
			vec_push(writer->arena, &names, writer->plan->created.v[i].archive);
	for (size_t i = 0; i < names.n; i++) {
		const char *path = path_join(writer->arena, writer->directory, names.v[i]);
		const mode_t mode = names.v[i] == disk ? disk_image_mode(writer->plan) : 0444;
		if (chmod(path, mode) != 0 && errno != ENOENT)
			return diag_error(writer->diag, STATUS_FAILED, NULL, "unwritable-file",
				"cannot make %s read-only: %s", path, strerror(errno));
	}
	return true;
}

static bool write_parts(const struct writer *writer, const struct image_settings *settings,
	const char *wanted, struct image_results *results)
{
	if (!make_directories(writer))
		return false;
	if (!write_scripts(writer))
		return false;
	if (!write_host_programs(writer))
		return false;
	if (!write_facts(writer))
		return false;
	if (!images_make(writer->arena, writer->diag, writer->plan, settings, writer->directory,
		    results))
		return false;
	if (!make_read_only(writer))
		return false;
	return write_manifest(writer, wanted, results);
}

static bool write_all(const struct writer *writer, const struct image_settings *settings,
	const char *wanted, struct image_results *results)
{
	/* Runners are for other users, too, so their modes must not depend on the user's umask. */
	mode_t mask = umask(022);
	bool ok = write_parts(writer, settings, wanted, results);
	umask(mask);
	return ok;
}

bool runner_build(struct arena *arena, struct diag *diag, const struct plan *plan,
	const struct image_settings *settings, const char *output, struct runner_result *result)
{
	struct staging staging;
	struct runner_scripts scripts;
	scripts_make(arena, plan, &scripts);
	output = path_absolute(arena, output);
	const char *wanted = fingerprint(arena, diag, plan, &scripts);
	if (!wanted || !staging_may_replace(arena, diag, output, "runner", RUNNER_MANIFEST))
		return false;
	result->fingerprint = wanted;
	result->up_to_date = is_up_to_date(arena, output, wanted, settings);
	if (result->up_to_date) {
		staging_clean(arena, output);
		char *real = realpath(output, NULL);
		result->path = arena_strdup(arena, real ? real : output);
		free(real);
		return true;
	}
	if (!staging_begin(arena, diag, output, &staging))
		return false;
	const struct writer writer = {
		arena, diag, plan, &scripts, staging.directory, settings->common};
	bool ok = write_all(&writer, settings, wanted, &result->images);
	result->path = staging.target;
	staging.unsynced = settings->no_sync;
	staging.listed = true;
	if (ok)
		return staging_publish(diag, &staging);
	staging_abandon(&staging);
	return false;
}
