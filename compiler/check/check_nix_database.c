/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "compiler/check/checks.h"
#include "compiler/storage/nix_state.h"

/* Where the database was chosen; NULL: by default. */
static const struct pos *chosen(const struct vm *vm)
{
	const struct pos *where = vm_where(vm, &vm->nix_database);
	return where ? where : vm_where(vm, &vm->register_closure);
}

/*
 * With an initrd that is not ours, nothing can be put into the guest; the guest's own configuration
 * can do it.
 */
static void check_given_initrd(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (strcmp(vm->nix_database, "none") == 0)
		return;
	const char *instead = strcmp(vm->nix_database, "registration") == 0
		? "; pack a closureInfo by storePaths, and name its registration by kernelParams: "
		  "[regInfo=...]"
		: "";
	wrong(checker, chosen(vm), "bad-nix-database",
		"nixDatabase: %s is put in place by our stage 1, but another initrd is given%s",
		vm->nix_database, instead);
	diag_note(checker->diag, vm_where(vm, &vm->initrd), "bad-nix-database", "given here");
}

static void check_none(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (vm->writable_store_overlay)
		wrong(checker, chosen(vm), "bad-nix-database",
			"nixDatabase: none with a writable store: a collection of garbage in the "
			"guest would delete the running system");
}

/* Rows of earlier images would stay for ever: only Nix writes to that database. */
static void check_registration(const struct checker *checker, const struct nix_state *state)
{
	if (state->kept)
		wrong(checker, chosen(checker->vm), "bad-nix-database",
			"nixDatabase: registration is loaded into a database that is new at each "
			"boot, but this one would be kept; prebuilt keeps it in line with the "
			"image");
}

static void check_host_overlay(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (!checker->storage->store)
		wrong(checker, chosen(vm), "bad-nix-database",
			"nixDatabase: hostOverlay shows the guest the host's database, but it has "
			"a store of its own: share %s, without storeOnDisk",
			vm->store_dir);
	if (checker->backend && checker->backend->macos)
		wrong(checker, chosen(vm), "bad-nix-database",
			"nixDatabase: hostOverlay copies the host's database by a program for "
			"Linux, and %s runs on macOS",
			checker->backend->name);
}

/* What is mounted on the state directory would hide it. */
static void check_inner_mount(const struct checker *checker, const struct nix_state *state,
	const char *point, const struct pos *where)
{
	if (!point || !is_within(point, state->dir))
		return;
	wrong(checker, where, "bad-nix-database",
		"%s is inside %s, which is kept with the writable store; mount %s itself, or "
		"nothing in it",
		point, state->dir, state->dir);
	diag_note(checker->diag, vm_where(checker->vm, &checker->vm->writable_store_overlay),
		"bad-nix-database", "the writable store is here");
}

static void check_bound(const struct checker *checker, const struct nix_state *state)
{
	const struct vm *vm = checker->vm;
	for (size_t i = 0; i < vm->volumes.n; i++)
		check_inner_mount(checker, state, vm->volumes.v[i].mount_point,
			place(checker, &vm->volumes.v[i].mount_point, &vm->volumes.v[i].where));
	for (size_t i = 0; i < vm->shares.n; i++)
		check_inner_mount(checker, state, vm->shares.v[i].mount_point,
			place(checker, &vm->shares.v[i].mount_point, &vm->shares.v[i].where));
}

void check_nix_database(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (vm_refused(vm, NULL)) /* it depends on all mounts */
		return;
	const struct nix_state *state = &checker->storage->nix;
	if (vm->initrd) {
		check_given_initrd(checker);
		return;
	}
	if (state->database == NIX_DATABASE_NONE)
		check_none(checker);
	if (state->database == NIX_DATABASE_REGISTRATION)
		check_registration(checker, state);
	if (state->database == NIX_DATABASE_HOST_OVERLAY)
		check_host_overlay(checker);
	if (state->bound)
		check_bound(checker, state);
}
