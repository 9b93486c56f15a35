/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/contents.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "compiler/microvm/custody.h"
#include "compiler/microvm/runners.h"
#include "compiler/runner/manifest.h"
#include "compiler/runner/runner.h"
#include "compiler/storage/nix_state.h"
#include "compiler/storage/state_names.h"
#include "compiler/storage/storage.h"

/* Made by a runner, and by kvmtool, whose HOME is the VM's directory. */
static const char *const made_by_runner[] = {NIX_STATE_COPY, ".lkvm"};
#define FIRECRACKER_CONFIG "-firecracker.json"

static bool starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool ends(const char *text, const char *suffix)
{
	const size_t length = strlen(text), wanted = strlen(suffix);
	return length > wanted && strcmp(text + length - wanted, suffix) == 0;
}

static bool is_made(const char *name, mode_t mode)
{
	if (S_ISSOCK(mode) || ends(name, FIRECRACKER_CONFIG))
		return true;
	if (S_ISLNK(mode) && ends(name, STORE_DISK_LINK))
		return true;
	if (state_name_is_ours(name, strlen(name)))
		return true;
	for (size_t i = 0; i < countof(made_by_runner); i++)
		if (strcmp(name, made_by_runner[i]) == 0)
			return true;
	return false;
}

/* ---- volumes ---- */

/* The path of an image within the VM's directory; NULL: the image is elsewhere. */
static const char *path_inside(
	const struct host *host, const struct machine *machine, const char *image)
{
	const char *directory = path_join(host->arena, machine->directory, "");
	if (starts(image, directory))
		image += strlen(directory);
	while (starts(image, "./") || *image == '/') {
		if (*image == '/')
			return NULL;
		image += strlen("./");
	}
	return *image && strcmp(image, "..") != 0 && !starts(image, "../") &&
			!strstr(image, "/../") && !ends(image, "/..")
		? image
		: NULL;
}

static void add_volume(const struct host *host, const struct machine *machine, const char *image,
	struct strings *volumes, struct contents *contents)
{
	const char *inside = path_inside(host, machine, image);
	struct strings *list = inside ? volumes : &contents->elsewhere;
	const char *kept = arena_strdup(host->arena, inside ? inside : image);
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], kept) == 0)
			return;
	vec_push(host->arena, list, kept);
}

/* Adds the volumes of a runner's description. Runners of microvm.nix have no description. */
static void add_volumes_of(const struct host *host, const struct machine *machine,
	const char *runner, struct strings *volumes, struct contents *contents)
{
	struct json_object *array, *image;
	if (!path_exists(path_join(host->arena, runner, RUNNER_DESCRIPTION)))
		return;
	struct json_object *description =
		description_read(host->arena, diag_new(host->arena), runner);
	if (json_object_object_get_ex(description, "volumes", &array) &&
		json_object_is_type(array, json_type_array))
		for (size_t i = 0; i < json_object_array_length(array); i++)
			if (json_object_object_get_ex(
				    json_object_array_get_idx(array, i), "image", &image) &&
				json_object_is_type(image, json_type_string))
				add_volume(host, machine, json_object_get_string(image), volumes,
					contents);
	json_object_put(description);
}

/* Older runners count too: their volumes are still volumes. */
static void find_volumes(const struct host *host, const struct machine *machine,
	struct strings *volumes, struct contents *contents)
{
	static const char *const links[] = {"current", "old", REMOVING};
	const char *runners = machine_path(host, machine, RUNNERS);
	DIR *stream = custody_holds(runners) ? opendir(runners) : NULL;
	for (size_t i = 0; i < countof(links); i++)
		if (custody_counts(host, machine->directory, links[i]))
			add_volumes_of(host, machine, machine_path(host, machine, links[i]),
				volumes, contents);
	for (struct dirent *entry; stream && (entry = readdir(stream));)
		if (entry->d_name[0] != '.')
			add_volumes_of(host, machine,
				path_join(host->arena, runners, entry->d_name), volumes, contents);
	if (stream)
		closedir(stream);
}

/* An image, the log of its growth, or a temporary directory of a killed start; images are files. */
static bool is_of_volume(const char *name, mode_t mode, const char *image)
{
	const size_t length = strlen(image);
	if (!starts(name, image))
		return false;
	return S_ISDIR(mode)
		? starts(name + length, ".new.") || strcmp(name + length, ".grow.new") == 0
		: name[length] == '\0' || strcmp(name + length, ".grow") == 0;
}

static bool is_volume(
	const char *name, mode_t mode, const char *directory, const struct strings *volumes)
{
	const size_t length = strlen(directory);
	for (size_t i = 0; i < volumes->n; i++) {
		const char *image = path_base(volumes->v[i]);
		const size_t above = (size_t)(image - volumes->v[i]); /* includes the slash */
		if ((above ? above - 1 : 0) == length &&
			strncmp(volumes->v[i], directory, length) == 0 &&
			(is_of_volume(name, mode, image) ||
				(S_ISREG(mode) && starts(name, STATE_NEW_IMAGE))))
			return true;
	}
	return false;
}

/* ---- the directory ---- */

static enum content_kind kind_of(
	const char *name, mode_t mode, const char *directory, const struct strings *volumes)
{
	if (!*directory && is_made(name, mode))
		return CONTENT_MADE;
	return is_volume(name, mode, directory, volumes) ? CONTENT_VOLUME : CONTENT_OTHER;
}

static bool list(const struct host *host, int place, const char *directory,
	const struct strings *volumes, struct contents *contents)
{
	const int opened = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = opened < 0 ? NULL : fdopendir(opened);
	if (!stream)
		return false;
	for (struct dirent *entry; (entry = readdir(stream));) {
		struct stat st;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
			fstatat(place, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		const char *name = arena_strdup(host->arena, entry->d_name);
		const enum content_kind kind = kind_of(name, st.st_mode, directory, volumes);
		/* From directories of others, list only our own files. */
		if (!*directory || kind != CONTENT_OTHER)
			vec_push(host->arena, &contents->in,
				(struct content){kind, directory, name,
					*directory ? path_join(host->arena, directory, name)
						   : name});
	}
	closedir(stream);
	return true;
}

/* Lists the directories of volumes, each once. */
static void list_below(const struct host *host, const struct machine *machine,
	const struct strings *volumes, struct contents *contents)
{
	struct strings seen = {0};
	for (size_t i = 0; i < volumes->n; i++) {
		const char *directory = path_parent(host->arena, volumes->v[i]);
		bool again = strcmp(directory, ".") == 0;
		for (size_t k = 0; !again && k < seen.n; k++)
			again = strcmp(seen.v[k], directory) == 0;
		if (again)
			continue;
		vec_push(host->arena, &seen, directory);
		FD_CLEANUP int place = tree_open_below(machine->lock, directory);
		if (place >= 0)
			list(host, place, directory, volumes, contents);
	}
}

static int compare_contents(const void *a, const void *b)
{
	return strcmp(((const struct content *)a)->path, ((const struct content *)b)->path);
}

bool contents_find(
	const struct host *host, const struct machine *machine, struct contents *contents)
{
	struct strings volumes = {0};
	*contents = (struct contents){0};
	find_volumes(host, machine, &volumes, contents);
	if (!list(host, machine->lock, "", &volumes, contents))
		return diag_error(host->diag, STATUS_FAILED, NULL, "state", "cannot read %s: %s",
			machine->directory, strerror(errno));
	list_below(host, machine, &volumes, contents);
	if (contents->in.n)
		qsort(contents->in.v, contents->in.n, sizeof *contents->in.v, compare_contents);
	return true;
}

bool contents_are_left(const struct host *host, const struct machine *machine)
{
	struct stat st;
	if (lstat(machine->directory, &st) != 0 || !S_ISDIR(st.st_mode))
		return false;
	for (const char *const *name = state_own_names; *name; name++)
		if (custody_counts(host, machine->directory, *name))
			return true;
	return directory_is_empty(machine->directory);
}
