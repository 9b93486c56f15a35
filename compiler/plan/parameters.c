/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/file.h"
#include "compiler/plan/planner.h"
#include "compiler/storage/host_store.h"
#include "imaging/kernel/parameters.h"

/*
 * COMMAND_LINE_SIZE of x86 and arm64 without the terminating 0 byte, and the bytes that microvm-run
 * may add: " tsc_early_khz=" and a number.
 */
enum { COMMAND_LINE_BYTES = 2047, START_BYTES = 25 };

/* 200000 store paths with a line of 300 bytes each. */
enum { REGISTRATION_BYTES = 64 << 20 };

/* The position of a parameter, or that of the toplevel that it comes from. */
static const struct pos *parameter_place(const struct plan *plan, size_t i)
{
	const struct pos *where = vm_where(plan->vm, plan->system.parameters.v[i]);
	return where ? where : vm_where(plan->vm, &plan->vm->toplevel);
}

static bool refuse_parameter(struct planner *planner, size_t i, const char *why)
{
	const struct plan *plan = planner->plan;
	const char *parameter = plan->system.parameters.v[i];
	const char *option =
		vm_where(plan->vm, parameter) ? "kernelParams" : "toplevel: its kernel parameters";
	return diag_error(planner->diag, STATUS_DESCRIPTION, parameter_place(plan, i),
		"bad-parameter", "%s: \"%.200s\": %s", option, parameter, why);
}

/*
 * Store paths in parameters must be in the guest; otherwise it would look for a missing init, or
 * its Nix for a missing registration.
 */
static bool check_named_path(struct planner *planner, size_t i)
{
	const struct plan *plan = planner->plan;
	const char *store = plan->vm->store_dir, *at = plan->system.parameters.v[i];
	for (size_t length = strlen(store); (at = strstr(at, store)); at += length) {
		size_t end =
			at[length] == '/' ? length + 1 + strcspn(at + length + 1, "/:,;\" ") : 0;
		if (end <= length + 1)
			continue;
		const char *path = arena_strndup(planner->arena, at, end);
		if (!closure_has(&plan->closure, path))
			return refuse_parameter(planner, i,
				arena_printf(planner->arena,
					"%s is not in the closure of this VM, so the guest may "
					"lack it; add it to storePaths",
					path));
	}
	return true;
}

/*
 * If the registration does not contain the running system, the guest's next garbage collection
 * deletes it.
 */
static bool check_registers(struct planner *planner, size_t i, const char *file)
{
	const struct plan *plan = planner->plan;
	struct bytes text;
	if (!is_in_store(plan->vm, file))
		return true;
	if (!path_exists(file))
		return refuse_parameter(planner, i, "the file does not exist");
	if (!file_read(planner->arena, planner->diag, file, REGISTRATION_BYTES, &text))
		return false;
	const char *line = arena_printf(planner->arena, "%s\n", plan->system.toplevel);
	for (const char *at = text.p; (at = strstr(at, line)); at++)
		if (at == text.p || at[-1] == '\n')
			return true;
	return refuse_parameter(planner, i,
		arena_printf(planner->arena,
			"the registration lacks %s: a garbage collection in the guest would delete "
			"the running system",
			plan->system.toplevel));
}

static bool check_parameter(struct planner *planner, size_t i)
{
	const char *parameter = planner->plan->system.parameters.v[i],
		   *problem = parameter_problem(parameter);
	/* those of the description were checked before */
	if (problem && !vm_where(planner->plan->vm, parameter))
		return refuse_parameter(planner, i, problem);
	if (!check_named_path(planner, i))
		return false;
	const char *registration = parameter_value(planner->arena, parameter, "regInfo"),
		   *init = parameter_value(planner->arena, parameter, "init");
	if (init && is_in_store(planner->plan->vm, init) && !path_exists(init))
		return refuse_parameter(planner, i, "the file does not exist");
	return !registration || check_registers(planner, i, registration);
}

/* With a foreign initrd, the guest's Nix knows only the paths of a registration. */
static bool check_guest_database(struct planner *planner)
{
	const struct plan *plan = planner->plan;
	const struct vm *vm = plan->vm;
	if (plan->own_stage1 || !vm->writable_store_overlay)
		return true;
	for (size_t i = 0; i < plan->system.parameters.n; i++)
		if (parameter_value(planner->arena, plan->system.parameters.v[i], "regInfo"))
			return true;
	diag_error(planner->diag, STATUS_DESCRIPTION, vm_where(vm, &vm->writable_store_overlay),
		"bad-nix-database",
		"writableStoreOverlay: with a foreign initrd the guest's Nix does not know which "
		"paths are in the store, so a garbage collection in the guest would delete the "
		"running system; add a closureInfo to storePaths, and pass its registration with "
		"kernelParams: [regInfo=...]");
	diag_note(planner->diag, vm_where(vm, &vm->initrd), "bad-nix-database",
		"the initrd is given here");
	return false;
}

/* Checks every parameter, so that all errors are reported. */
bool plan_check_parameters(struct planner *planner)
{
	bool ok = true;
	for (size_t i = 0; i < planner->plan->system.parameters.n; i++)
		ok &= check_parameter(planner, i);
	return ok & check_guest_database(planner);
}

static bool has_parameter(const struct strings *parameters, const char *start)
{
	for (size_t i = 0; i < parameters->n; i++)
		if (strncmp(parameters->v[i], start, strlen(start)) == 0)
			return true;
	return false;
}

#define MACHINE_ID "systemd.machine_id="

/*
 * Without SMBIOS, the guest's systemd takes its machine id from this parameter (systemd(1),
 * machine-id(5)). The parameter overrides the guest's /etc/machine-id, so it is set only if the
 * description gives an id; otherwise this returns "".
 */
static const char *machine_id_parameter(struct planner *planner)
{
	const struct plan *plan = planner->plan;
	const char *id = plan->vm->machine_id;
	if (!id || !vm_where(plan->vm, &plan->vm->machine_id) ||
		has_parameter(&plan->system.parameters, MACHINE_ID) ||
		(plan->backend->smbios && plan->backend->smbios(&plan->guest)))
		return "";
	char digits[33] = "";
	for (size_t n = 0; *id && n < sizeof digits - 1; id++)
		if (*id != '-')
			digits[n++] = *id;
	return arena_printf(planner->arena, " " MACHINE_ID "%s", digits);
}

#define HOST_NAME "hostname="

/*
 * Linux 6.0 and later set the host name from this parameter. A guest with a name in /etc/hostname
 * keeps that; a system that several VMs share should have none.
 */
static const char *host_name_parameter(struct planner *planner)
{
	const struct plan *plan = planner->plan;
	if (has_parameter(&plan->system.parameters, HOST_NAME))
		return "";
	return arena_printf(planner->arena, " " HOST_NAME "%s", plan->vm->host_name);
}

void plan_parameters(struct planner *planner)
{
	struct plan *plan = planner->plan;
	const char *text = "";
	bool has_init = false;
	for (size_t i = 0; i < plan->system.parameters.n; i++) {
		const char *parameter = plan->system.parameters.v[i];
		has_init |= parameter_value(planner->arena, parameter, "init") != NULL;
		text = arena_printf(planner->arena, "%s%s%s", text, *text ? " " : "",
			parameter_quoted(planner->arena, parameter));
	}
	if (!has_init)
		text = arena_printf(
			planner->arena, "%s%sinit=%s", text, *text ? " " : "", plan->system.init);
	if (plan->storage->nix.database == NIX_DATABASE_REGISTRATION)
		text = arena_printf(planner->arena, "%s regInfo=%s", text,
			nix_registration_path(planner->arena, &plan->storage->nix));
	text = arena_printf(planner->arena, "%s%s%s", text, host_name_parameter(planner),
		machine_id_parameter(planner));
	plan->guest.parameters = text;
}

/* Includes our parameters for the hypervisor if they are among its arguments. */
static size_t known_parameter_bytes(const struct plan *plan)
{
	for (size_t i = 0; i < plan->lowered.command.arguments.n; i++) {
		const struct pieces *pieces = &plan->lowered.command.arguments.v[i].pieces;
		if (pieces->n > 1 && pieces->v[pieces->n - 1].kind == PIECE_PARAMETERS)
			return strlen(pieces->v[0].text);
	}
	return strlen(plan->guest.parameters);
}

/* The kernel truncates a longer line, or the hypervisor refuses it when the VM starts. */
bool plan_check_parameters_length(struct planner *planner)
{
	const struct plan *plan = planner->plan;
	size_t added = START_BYTES +
		(plan->backend->parameter_bytes ? plan->backend->parameter_bytes(&plan->guest) : 0);
	size_t own = known_parameter_bytes(plan) - strlen(plan->guest.parameters) + added,
	       length = strlen(plan->guest.parameters);
	if (length + own <= COMMAND_LINE_BYTES)
		return true;
	return diag_error(planner->diag, STATUS_DESCRIPTION,
		vm_where(plan->vm, &plan->vm->kernel_params), "long-parameters",
		"the kernel parameters have %zu bytes; a kernel command line holds %d, of which %s "
		"uses %zu",
		length, COMMAND_LINE_BYTES, plan->backend->name, own);
}
