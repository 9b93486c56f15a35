/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "compiler/fleet/fleet.h"
#include "compiler/microvm/runners.h"
#include "compiler/microvm/source.h"
#include "compiler/plan/report.h"
#include "templates/embedded.h"

#define UNITS "systemd/"
#define UNIT_ENDING ".in"
#define INSTALLER "host/install-host.sh"
#define SET_BOOTED "host/set-booted.sh"
/* Where install-host installs set-booted; the default of `make install-systemd`. */
#define LIBEXEC_DIR "/usr/local/libexec/mvmbuild"

struct output {
	struct arena *arena;
	struct diag *diag;
	const struct fleet *fleet;
	const char *directory;
};

static bool put(const struct output *output, const char *name, const char *text, mode_t mode)
{
	return file_write(output->diag, path_join(output->arena, output->directory, name), text,
		strlen(text), mode);
}

/* ---- units ---- */

/*
 * Fills the placeholders that `make install-systemd` fills. No value contains a character that is
 * special to systemd.
 */
static const char *fill(const struct output *output, const char *text, size_t length)
{
	const struct {
		const char *hole, *value;
	} holes[] = {{"@statedir@", output->fleet->state_dir}, {"@user@", output->fleet->user},
		{"@group@", output->fleet->group}, {"@libexecdir@", LIBEXEC_DIR}};
	BUF_CLEANUP struct buf filled = {0};
	for (const char *end = text + length; text < end;) {
		size_t hole = 0;
		while (hole < countof(holes) &&
			((size_t)(end - text) < strlen(holes[hole].hole) ||
				strncmp(text, holes[hole].hole, strlen(holes[hole].hole)) != 0))
			hole++;
		if (hole == countof(holes))
			buf_add(&filled, text++, 1);
		else {
			buf_puts(&filled, holes[hole].value);
			text += strlen(holes[hole].hole);
		}
	}
	return arena_strdup(output->arena, buf_text(&filled));
}

static bool write_units(const struct output *output)
{
	bool ok = true;
	for (const struct embedded_file *file = embedded_files; ok && file->name; file++) {
		size_t length = strlen(file->name), ending = strlen(UNIT_ENDING);
		if (strncmp(file->name, UNITS, strlen(UNITS)) == 0 && length > ending)
			ok = put(output,
				arena_printf(output->arena, "share/%.*s", (int)(length - ending),
					file->name),
				fill(output, file->begin, (size_t)(file->end - file->begin)), 0444);
	}
	return ok;
}

static bool write_script(const struct output *output, const char *name, const char *place)
{
	for (const struct embedded_file *file = embedded_files; file->name; file++)
		if (strcmp(file->name, name) == 0)
			return file_write(output->diag,
				path_join(output->arena, output->directory, place), file->begin,
				(size_t)(file->end - file->begin), 0555);
	return diag_error(output->diag, STATUS_FAILED, NULL, "internal",
		"this program does not contain %s", name);
}

/* ---- VMs ---- */

/*
 * Decides as source_parse does, but without looking for the file: it is on the host, which may be
 * another machine.
 */
static bool is_description(const char *text)
{
	return text[0] == '/';
}

/*
 * Returns a line for each VM: name, directory of the runner, its store disk and that disk's key,
 * autostart, restart, toplevel, kind and text of the update source. "-" means none.
 */
static const char *table(const struct output *output)
{
	BUF_CLEANUP struct buf text = {0};
	for (size_t i = 0; i < output->fleet->vms.n; i++) {
		const struct fleet_vm *vm = &output->fleet->vms.v[i];
		const char *update = vm->update_from;
		buf_printf(&text, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", vm->name,
			runner_place(output->arena, vm->fingerprint), vm->disk ? vm->disk : "-",
			vm->disk_key ? vm->disk_key : "-", vm->autostart ? "yes" : "no",
			vm->restart_if_changed ? "yes" : "no", vm->toplevel,
			!update                          ? "-"
				: is_description(update) ? "source"
							 : "flake",
			update ? update : "-");
	}
	return arena_strdup(output->arena, buf_text(&text));
}

const char *fleet_manifest(struct session *session, const struct fleet *fleet)
{
	struct json_object *manifest = json_object_new_object(), *vms = json_object_new_object();
	json_object_object_add(
		manifest, "generator", json_object_new_string("mvmbuild " MVM_VERSION));
	json_object_object_add(manifest, "stateDir", json_object_new_string(fleet->state_dir));
	json_object_object_add(manifest, "user", json_object_new_string(fleet->user));
	json_object_object_add(manifest, "group", json_object_new_string(fleet->group));
	for (size_t i = 0; i < fleet->vms.n; i++) {
		const struct fleet_vm *vm = &fleet->vms.v[i];
		struct json_object *object = json_object_new_object();
		json_object_object_add(
			object, "fingerprint", json_object_new_string(vm->fingerprint));
		json_object_object_add(object, "toplevel", json_object_new_string(vm->toplevel));
		json_object_object_add(object, "autostart", json_object_new_boolean(vm->autostart));
		json_object_object_add(object, "restartIfChanged",
			json_object_new_boolean(vm->restart_if_changed));
		json_object_object_add(object, "updateFrom",
			vm->update_from ? json_object_new_string(vm->update_from) : NULL);
		json_object_object_add(vms, vm->name, object);
	}
	json_object_object_add(manifest, "vms", vms);
	const char *text = arena_strdup(session->arena, report_text(session->arena, manifest));
	json_object_put(manifest);
	return text;
}

bool fleet_write(struct session *session, const struct fleet *fleet, const char *directory)
{
	const struct output output = {session->arena, session->diag, fleet, directory};
	if (!directory_make(
		    session->diag, path_join(session->arena, directory, "share/systemd"), 0755))
		return false;
	if (!directory_make(session->diag, path_join(session->arena, directory, "bin"), 0755))
		return false;
	if (!write_units(&output))
		return false;
	if (!write_script(&output, INSTALLER, "bin/install-host"))
		return false;
	if (!write_script(&output, SET_BOOTED, "share/set-booted"))
		return false;
	if (!put(&output, "share/state-dir", fleet->state_dir, 0444))
		return false;
	if (!put(&output, "share/group", fleet->group, 0444))
		return false;
	if (!put(&output, "share/vms", table(&output), 0444))
		return false;
	return put(&output, FLEET_MANIFEST, fleet_manifest(session, fleet), 0444);
}
