/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/pause.h"

#include <json-c/json.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "compiler/runner/manifest.h"
#include "templates/embedded.h"

/*
 * Opens the mvm-host that is embedded in this program, because a list must not run programs from a
 * VM's directory. -1: there is none.
 */
static int open_program(void)
{
	const struct embedded_file *file = embedded_files;
	while (file->name && strcmp(file->name, "mvm-host") != 0)
		file++;
	int fd = file->name ? memfd_create("mvm-host", MFD_CLOEXEC) : -1;
	for (const char *at = file->begin; fd >= 0 && at < file->end;) {
		ssize_t written = write(fd, at, (size_t)(file->end - at));
		if (written <= 0)
			fd_close(&fd);
		else
			at += written;
	}
	return fd;
}

/*
 * Reads mvm-host's arguments from the manifest of the running VM; false if the runner is not ours
 * or its hypervisor cannot be asked.
 */
static bool read_question(
	const struct host *host, const struct machine *machine, struct strings *argv)
{
	struct json_object *manifest = manifest_peek(host->arena,
				   machine_path(
					   host, machine, machine->booted ? "booted" : "current")),
			   *plan, *state;
	if (json_object_object_get_ex(manifest, "plan", &plan) &&
		json_object_object_get_ex(plan, "state", &state) &&
		json_object_is_type(state, json_type_array) && json_object_array_length(state) == 3)
		for (size_t i = 0; i < 3; i++) {
			const char *word =
				json_object_get_string(json_object_array_get_idx(state, i));
			if (word)
				vec_push(host->arena, argv,
					i == 2 && word[0] != '/' ? machine_path(host, machine, word)
								 : arena_strdup(host->arena, word));
		}
	json_object_put(manifest);
	return argv->n == 4 && strcmp(argv->v[1], "state") == 0;
}

const char *machine_pause(const struct host *host, const struct machine *machine)
{
	FD_CLEANUP int program = open_program();
	struct strings argv = {0};
	struct process_result ran;
	vec_push(host->arena, &argv, arena_printf(host->arena, "/proc/self/fd/%d", program));
	if (program < 0 || !read_question(host, machine, &argv))
		return NULL;
	vec_push(host->arena, &argv, NULL);
	if (!process_run(host->arena, diag_new(host->arena), argv.v, &ran) ||
		ran.exit_status != 0 || strncmp(ran.output.p, "paused", strlen("paused")) != 0)
		return NULL;
	return arena_strndup(host->arena, ran.output.p, strcspn(ran.output.p, "\n"));
}
