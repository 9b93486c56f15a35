/* SPDX-License-Identifier: MIT */
#include "compiler/check/checks.h"

#include <stdlib.h>
#include <string.h>

#include "base/shape.h"

bool all_sound(const struct vm *vm, const void *const *fields)
{
	for (; *fields; fields++)
		if (vm_refused(vm, *fields))
			return false;
	return true;
}

const struct pos *place(const struct checker *checker, const void *field, const struct pos *element)
{
	const struct pos *where = vm_where(checker->vm, field);
	return where ? where : element;
}

void check_name(const struct checker *checker, const struct pos *where, const char *what,
	const char *name, size_t longest)
{
	if (!is_name(name))
		wrong(checker, where, "bad-name",
			"%s: \"%.80s\" is not a valid name: use letters, digits, '-', '_' and '.', "
			"starting with a letter or digit",
			what, name);
	else if (strlen(name) > longest)
		wrong(checker, where, "bad-name", "%s: \"%.80s\" is longer than %zu bytes", what,
			name, longest);
}

int compare_places(const struct pos *a, const struct pos *b)
{
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return (a->column > b->column) - (a->column < b->column);
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = strcmp(x->value, y->value);
	return order ? order : compare_places(&x->element, &y->element);
}

void claim(const struct checker *checker, struct claims *claims, const char *value,
	const void *field, const struct pos *element)
{
	const struct pos *where = vm_where(checker->vm, field);
	if (value && where && sound(checker, field))
		vec_push(checker->arena, claims, (struct claim){value, *where, *element});
}

void claim_derived(const struct checker *checker, struct claims *claims, const char *value,
	const struct pos *where)
{
	vec_push(checker->arena, claims, (struct claim){value, *where, *where});
}

void refuse_twice(const struct checker *checker, struct claims *claims, const char *what)
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
			compare_places(&first->where, &second->where) == 0;
		wrong(checker, shared ? &second->element : &second->where, "used-twice",
			"%s \"%.80s\" is used twice", what, second->value);
		diag_note(checker->diag, shared ? &first->element : &first->where, "used-twice",
			"first used here");
	}
}
