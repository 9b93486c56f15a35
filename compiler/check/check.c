/* SPDX-License-Identifier: MIT */
#include "compiler/check/check.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/storage/guest.h"

/* ---- for the checks ---- */

bool check_all_accepted(const struct vm *vm, const void *const *fields)
{
	for (; *fields; fields++)
		if (vm_refused(vm, *fields))
			return false;
	return true;
}

const struct pos *check_position(
	const struct checker *checker, const void *field, const struct pos *element)
{
	const struct pos *where = vm_where(checker->vm, field);
	return where ? where : element;
}

int check_compare_positions(const struct pos *a, const struct pos *b)
{
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return (a->column > b->column) - (a->column < b->column);
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = strcmp(x->value, y->value);
	return order ? order : check_compare_positions(&x->element, &y->element);
}

void check_claim(const struct checker *checker, struct claims *claims, const char *value,
	const void *field, const struct pos *element)
{
	const struct pos *where = vm_where(checker->vm, field);
	if (value && where && check_accepted(checker, field))
		vec_push(checker->arena, claims, (struct claim){value, *where, *element});
}

void check_claim_derived(const struct checker *checker, struct claims *claims, const char *value,
	const struct pos *where)
{
	vec_push(checker->arena, claims, (struct claim){value, *where, *where});
}

void check_unique(const struct checker *checker, struct claims *claims, const char *what)
{
	if (claims->n)
		qsort(claims->v, claims->n, sizeof *claims->v, compare_claims);
	for (size_t i = 1; i < claims->n; i++) {
		const struct claim *first = &claims->v[i - 1], *second = &claims->v[i];
		if (strcmp(first->value, second->value) != 0)
			continue;
		/*
		 * Elements that share the value through an alias or a merge key are reported at
		 * their own positions.
		 */
		bool shared = first->where.file == second->where.file &&
			check_compare_positions(&first->where, &second->where) == 0;
		check_error(checker, shared ? &second->element : &second->where, "used-twice",
			"%s \"%.80s\" is used twice", what, second->value);
		diag_note(checker->diag, shared ? &first->element : &first->where, "used-twice",
			"first used here");
	}
}

/* ---- running the checks ---- */

/* The order is that of the error messages. */
static void (*const checks[])(const struct checker *) = {
	check_rootfs,
	check_memory,
	check_hotplug,
	check_vsock,
	check_credentials,
	check_parameters,
	check_bin_scripts,
	check_extra_args,
	check_host_path,
	check_store_disk,
	check_store,
	check_store_overlay,
	check_nix_database,
	check_volumes,
	check_interfaces,
	check_forward_ports,
	check_shares,
	check_state,
	check_devices,
	check_capabilities,
};

bool vm_check(
	struct arena *arena, struct diag *diag, const struct vm *vm, const struct storage *storage)
{
	struct checker checker = {arena, diag, vm, storage, vm->hypervisor, {0}};
	if (checker.backend)
		guest_lower(arena, vm, storage, checker.backend, &checker.guest);
	size_t before = diag_error_count(diag);
	for (size_t i = 0; i < countof(checks); i++)
		checks[i](&checker);
	return diag_error_count(diag) == before;
}
