/* SPDX-License-Identifier: MIT */
#include <json-c/json.h>

#include "backends/interface/positions.h"
#include "compiler/check/check.h"
#include "compiler/check/required_features.h"
#include "compiler/storage/guest.h"

/*
 * "; supported by crosvm, and by firecracker from version 1.14 on", or "" if no other hypervisor
 * supports it
 */
static const char *who_can(const struct checker *checker, enum feature feature)
{
	const char *always = NULL, *sometimes = NULL;
	for (const struct backend *const *other = backends; *other; other++) {
		const struct capability *capability = &(*other)->capabilities[feature];
		if (capability->can == CAN)
			always = arena_printf(checker->arena, "%s%s%s", always ? always : "",
				always ? ", " : "", (*other)->name);
		else if (capability->can == CAN_WHEN && *other != checker->backend)
			sometimes = arena_printf(checker->arena, "%s%s%s %s",
				sometimes ? sometimes : "", sometimes ? ", and by " : "",
				(*other)->name, capability->reason);
	}
	if (!always && !sometimes)
		return "";
	return arena_printf(checker->arena, "; supported by %s%s%s", always ? always : "",
		always && sometimes ? ", and by " : "", sometimes ? sometimes : "");
}

/* Returns why a hypervisor refuses a use, or NULL if it does not. */
static const char *use_refusal(struct arena *arena, const struct backend *backend,
	const struct guest *guest, const struct use *use)
{
	const struct capability *capability = &backend->capabilities[use->feature];
	const char *name = feature_name(use->feature), *reason = capability->reason;
	if (capability->can == CAN_NOT)
		return arena_printf(arena, "%s: %s does not support %s%s%s", use->what,
			backend->name, name, reason ? ": " : "", reason ? reason : "");
	if (capability->can == CAN_WHEN && !capability->holds(guest))
		return arena_printf(arena, "%s: %s supports %s only %s", use->what, backend->name,
			name, reason);
	return NULL;
}

/* Whether an option that the condition of a capability may read was refused. */
static bool condition_is_unknown(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	for (size_t i = 0; i < vm->volumes.n; i++)
		if (!check_accepted(checker, &vm->volumes.v[i].read_only))
			return true;
	return places_refused_within(
		vm->places, checker->guest.options, checker->backend->options_bytes);
}

static void check_use(const struct checker *checker, const struct use *use)
{
	const struct capability *capability = &checker->backend->capabilities[use->feature];
	if (capability->can == CAN_WHEN && condition_is_unknown(checker))
		return;
	const char *refusal = use_refusal(checker->arena, checker->backend, &checker->guest, use);
	if (refusal)
		check_error(checker, use->where, "not-supported", "%s%s", refusal,
			who_can(checker, use->feature));
	else if (capability->can == CAN_IGNORE)
		diag_warning(checker->diag, use->where, "ignored",
			"%s: %s does not support %s%s%s; ignored", use->what,
			checker->backend->name, feature_name(use->feature),
			capability->reason ? ": " : "",
			capability->reason ? capability->reason : "");
}

void check_capabilities(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (!check_accepted(checker, &vm->hypervisor))
		return;
	struct uses uses = {0};
	vm_uses(checker->arena, vm, &uses);
	for (size_t i = 0; i < uses.n; i++)
		check_use(checker, &uses.v[i]);
	if (checker->backend->check)
		checker->backend->check(checker->diag, vm, &checker->guest);
}

/* Adds the errors of the hypervisor's own rules, without their positions. */
static void add_own_rules(struct arena *arena, const struct backend *backend, const struct vm *vm,
	const struct guest *guest, struct json_object *reasons)
{
	struct diag *diag = diag_new(arena);
	if (backend->check)
		backend->check(diag, vm, guest);
	for (size_t i = 0; i < diag_error_count(diag); i++)
		json_object_array_add(reasons, json_object_new_string(diag_error_text(diag, i)));
}

struct json_object *vm_matrix(
	struct arena *arena, const struct vm *vm, const struct storage *storage)
{
	struct json_object *matrix = json_object_new_object();
	struct uses uses = {0};
	vm_uses(arena, vm, &uses);
	for (const struct backend *const *backend = backends; *backend; backend++) {
		struct json_object *reasons = json_object_new_array();
		struct guest guest;
		guest_lower(arena, vm, storage, *backend, &guest);
		for (size_t i = 0; i < uses.n; i++) {
			const char *refusal = use_refusal(arena, *backend, &guest, &uses.v[i]);
			if (refusal)
				json_object_array_add(reasons, json_object_new_string(refusal));
		}
		add_own_rules(arena, *backend, vm, &guest, reasons);
		json_object_object_add(matrix, (*backend)->name, reasons);
	}
	return matrix;
}
