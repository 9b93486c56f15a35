/* SPDX-License-Identifier: MIT */
/*
 * check_state: names in a VM's state directory: volumes, sockets, and files that the runner and
 * `microvm` create themselves. They share one namespace: a stale socket is removed before it is
 * created again, and so would be a volume of the same name.
 */
#include <stdlib.h>
#include <string.h>

#include "backends/interface/parts.h"
#include "base/shape.h"
#include "compiler/check/check.h"
#include "compiler/storage/nix_state.h"
#include "compiler/storage/state_names.h"
#include "compiler/storage/storage.h"

struct name {
	const char *path; /* simple_path */
	const char *what; /* "volumes[0].image" */
	bool shared;      /* only read, so others may use the same path or lie inside it */
	/*
	 * `created`: an image that the runner creates; `vsock`: a socket with one more for each
	 * port beside it
	 */
	bool created, vsock;
	bool read_only;
	struct pos where, element; /* line 0: not from the description */
};

struct names {
	struct name *v;
	size_t n, capacity;
};

/* ---- collecting ---- */

static void add(
	const struct checker *checker, struct names *names, const char *path, struct name name)
{
	name.path = simple_path(checker->arena, path);
	if (name.path && *name.path)
		vec_push(checker->arena, names, name);
}

/* Adds the path that an option names, or the option's default. */
static void add_option(const struct checker *checker, struct names *names, const char *path,
	const void *field, const struct pos *element, struct name name)
{
	const struct pos *where = vm_where(checker->vm, field);
	if (!check_accepted(checker, field))
		return;
	if (where)
		name.where = *where;
	else
		name.what = arena_printf(checker->arena, "the default of %s", name.what);
	name.element = element ? *element : name.where;
	add(checker, names, path, name);
}

/*
 * People write "./" for a path beside the description. Sockets are exempt: nobody looks for them
 * there, and some hypervisors need "./" for a name that they would read as an option.
 */
static void warn_of_dot(const struct checker *checker, const char *path, const void *field,
	const struct pos *element, const char *what)
{
	const bool is_beside = strncmp(path, "./", 2) == 0;
	const char *rest = path + strspn(path, "./");
	if (!is_beside && strncmp(path, "../", 3) != 0)
		return;
	const char *instead = is_beside && *rest
		? arena_printf(checker->arena, "\"%.80s\" if you mean that, or ", rest)
		: "";
	diag_warning(checker->diag, check_position(checker, field, element), "relative-path",
		"%s: \"%.80s\" is relative to the VM's state directory, not to the description; "
		"write %san absolute path",
		what, path, instead);
}

static void add_volumes(const struct checker *checker, struct names *names)
{
	for (size_t i = 0; i < checker->vm->volumes.n; i++) {
		const struct volume *volume = &checker->vm->volumes.v[i];
		const char *what = arena_printf(checker->arena, "volumes[%zu].image", i);
		if (check_accepted(checker, &volume->image))
			warn_of_dot(checker, volume->image, &volume->image, &volume->where, what);
		add_option(checker, names, volume->image, &volume->image, &volume->where,
			(struct name){.what = what,
				.created = volume->auto_create,
				.read_only = volume->read_only});
	}
}

static void add_shares(const struct checker *checker, struct names *names)
{
	for (size_t i = 0; i < checker->vm->shares.n; i++) {
		const struct share *share = &checker->vm->shares.v[i];
		if (!share->tag || !share->source || !share->mount_point)
			continue; /* missing options have been reported */
		const char *what = arena_printf(checker->arena, "shares[%zu].source", i);
		warn_of_dot(checker, share->source, &share->source, &share->where, what);
		add_option(checker, names, share->source, &share->source, &share->where,
			(struct name){.what = what, .shared = true, .read_only = true});
		if (share_has_daemon(share))
			add_option(checker, names, share->socket, &share->socket, &share->where,
				(struct name){.what = arena_printf(
						      checker->arena, "shares[%zu].socket", i)});
	}
}

static void add_database(const struct checker *checker, struct names *names)
{
	const struct share *database = checker->storage->database;
	if (!database)
		return;
	add(checker, names, database->source,
		(struct name){.what = "the copy of the host's Nix database"});
	add(checker, names, database->socket,
		(struct name){.what = "the socket of the host's Nix database"});
}

static void add_made(const struct checker *checker, struct names *names)
{
	struct made_files made = {0};
	if (!checker->backend || !checker->backend->makes || !checker->vm->host_name)
		return;
	checker->backend->makes(checker->arena, &checker->guest, &made);
	for (size_t i = 0; i < made.n; i++)
		add(checker, names, made.v[i].path,
			(struct name){.what = made.v[i].what, .vsock = made.v[i].vsock});
}

static void add_linked_disk(const struct checker *checker, struct names *names)
{
	const struct vm *vm = checker->vm;
	if (vm->host_name && storage_disk_on_host(vm))
		add(checker, names, storage_disk_link(checker->arena, vm),
			(struct name){.what = "the link to the store disk"});
}

static void add_credentials(const struct checker *checker, struct names *names)
{
	const struct pairs *files = &checker->vm->credential_files;
	for (size_t i = 0; i < files->n; i++) {
		const struct pair *file = &files->v[i];
		const char *what = arena_printf(checker->arena, "credentialFiles.%s", file->key);
		warn_of_dot(checker, file->value, file->key, NULL, what);
		add_option(checker, names, file->value, file->key, NULL,
			(struct name){.what = what, .shared = true, .read_only = true});
	}
}

static void add_all(const struct checker *checker, struct names *names)
{
	const struct vm *vm = checker->vm;
	add_option(checker, names, vm->socket, &vm->socket, NULL, (struct name){.what = "socket"});
	if (vm->graphics.enable)
		add_option(checker, names, vm->graphics.socket, &vm->graphics.socket, NULL,
			(struct name){.what = "graphics.socket"});
	add_credentials(checker, names);
	add_volumes(checker, names);
	add_shares(checker, names);
	add_database(checker, names);
	add_linked_disk(checker, names);
	add_made(checker, names);
}

/* ---- finding ---- */

/* By path; shared names come last, and names from the description after those that are not. */
static int compare_names(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int order = strcmp(x->path, y->path);
	if (!order)
		order = x->shared - y->shared;
	return order ? order : check_compare_positions(&x->element, &y->element);
}

/* Returns the first name whose path is the first `length` bytes of `path`, or NULL. */
static const struct name *find(const struct names *names, const char *path, size_t length)
{
	size_t low = 0, high = names->n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		const char *text = names->v[middle].path;
		int order = strncmp(text, path, length);
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	/* The shortest path with this prefix sorts first. */
	return low < names->n && strncmp(names->v[low].path, path, length) == 0 &&
			!names->v[low].path[length]
		? &names->v[low]
		: NULL;
}

/* ---- judging ---- */

/*
 * Reports an error at the later of two positions, with a note at the earlier one. Elements that
 * share the value through an alias or a merge key are reported at their own positions.
 */
static void refuse(const struct checker *checker, const char *code, const struct name *a,
	const struct name *b, const char *text)
{
	bool shared = a->where.line && a->where.file == b->where.file &&
		check_compare_positions(&a->where, &b->where) == 0;
	const struct pos *first = shared ? &a->element : &a->where,
			 *second = shared ? &b->element : &b->where;
	if (first->line && second->line && check_compare_positions(first, second) > 0) {
		const struct pos *swap = first;
		first = second;
		second = swap;
	}
	if (!second->line) {
		second = first;
		first = NULL;
	}
	check_error(checker, second && second->line ? second : NULL, code, "%s", text);
	if (first && first->line)
		diag_note(checker->diag, first, code, "the other one is here");
}

static void refuse_same(const struct checker *checker, const struct name *a, const struct name *b)
{
	refuse(checker, "used-twice", a, b,
		arena_printf(checker->arena,
			"\"%.80s\" is both %s and %s; give one of them another name", b->path,
			a->what, b->what));
}

static void refuse_inside(
	const struct checker *checker, const struct name *outer, const struct name *inner)
{
	refuse(checker, "used-twice", outer, inner,
		arena_printf(checker->arena,
			"%s: \"%.80s\" is inside \"%.80s\", which is %s; give one of them another "
			"name",
			inner->what, inner->path, outer->path, outer->what));
}

static bool is_all_digits(const char *text, size_t length)
{
	return length > 0 && strspn(text, "0123456789") >= length;
}

/* Returns the length of the path before `ending`, or 0 if it does not end so. */
static size_t before_ending(const char *path, size_t length, const char *ending)
{
	size_t n = strlen(ending);
	return length > n && strncmp(path + length - n, ending, n) == 0 ? length - n : 0;
}

static size_t before_number(const char *path, size_t length, const char *separator)
{
	size_t digits = 0;
	while (digits < length && strchr("0123456789", path[length - 1 - digits]))
		digits++;
	return is_all_digits(path + length - digits, digits)
		? before_ending(path, length - digits, separator)
		: 0;
}

/*
 * Returns the image or socket beside which the runner or the hypervisor creates files of this name,
 * or NULL.
 */
static const struct name *owner_of(const struct names *names, const char *path, size_t length)
{
	/* backends/runtime/volume/growth_log.c; mvm-host-macos.sh: create. */
	const size_t images[] = {before_ending(path, length, ".grow"),
		before_ending(path, length, ".grow.new"), before_number(path, length, ".new.")};
	for (size_t i = 0; i < countof(images); i++) {
		const struct name *image = images[i] ? find(names, path, images[i]) : NULL;
		if (image && image->created)
			return image;
	}
	size_t socket = before_number(path, length, "_");
	const struct name *vsock = socket ? find(names, path, socket) : NULL;
	return vsock && vsock->vsock ? vsock : NULL;
}

/* Checks the first `length` bytes of the name's path: the whole path or a directory above it. */
static bool check_part(const struct checker *checker, const struct names *names,
	const struct name *name, size_t length)
{
	bool whole = !name->path[length];
	const struct name *other = find(names, name->path, length),
			  *owner = owner_of(names, name->path, length);
	/*
	 * Two names that are not from the description follow from options whose own clash is
	 * reported.
	 */
	if (other && other != name && !other->shared && (other->where.line || name->where.line)) {
		if (whole)
			refuse_same(checker, other, name);
		else
			refuse_inside(checker, other, name);
		return false;
	}
	if (owner) {
		refuse(checker, "reserved-name", owner, name,
			arena_printf(checker->arena,
				"%s: \"%.*s\" is the name of a file that is created beside %s; "
				"give one of them another name",
				name->what, (int)(length < 80 ? length : 80), name->path,
				owner->what));
		return false;
	}
	return true;
}

static void check_one(
	const struct checker *checker, const struct names *names, const struct name *name)
{
	size_t first = strcspn(name->path, "/");
	if (!name->read_only && first && state_name_is_ours(name->path, first)) {
		check_error(checker, name->where.line ? &name->where : NULL, "reserved-name",
			"%s: \"%.*s\" is reserved for mvmbuild in a VM's directory; choose another "
			"name",
			name->what, (int)first, name->path);
		return;
	}
	for (size_t length = first ? first : 1 + strcspn(name->path + 1, "/");;
		length += 1 + strcspn(name->path + length + 1, "/"))
		if (!check_part(checker, names, name, length) || !name->path[length])
			return;
}

void check_state(const struct checker *checker)
{
	struct names names = {0};
	add_all(checker, &names);
	if (names.n)
		qsort(names.v, names.n, sizeof *names.v, compare_names);
	for (size_t i = 0; i < names.n; i++)
		check_one(checker, &names, &names.v[i]);
}
