/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "compiler/check/check.h"
#include "compiler/storage/nix_state.h"

/* Returns where the description chose the database, or NULL for the default. */
static const struct pos *chosen(const struct vm *vm)
{
	const struct pos *where = vm_where(vm, &vm->nix_database);
	return where ? where : vm_where(vm, &vm->register_closure);
}

/*
 * Only our own initrd can put a database into the guest; with another one, the guest's own
 * configuration has to do it.
 */
static void check_given_initrd(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (vm->nix_database == NIX_DATABASE_NONE)
		return;
	const char *instead = vm->nix_database == NIX_DATABASE_REGISTRATION
		? "; add a closureInfo to storePaths, and name its registration in kernelParams: "
		  "[regInfo=...]"
		: "";
	check_error(checker, chosen(vm), "bad-nix-database",
		"nixDatabase: %s requires mvmbuild's own initrd, but another one is given%s",
		nix_database_names[vm->nix_database], instead);
	diag_note(checker->diag, vm_where(vm, &vm->initrd), "bad-nix-database",
		"the initrd is given here");
}

static void check_none(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (vm->writable_store_overlay)
		check_error(checker, chosen(vm), "bad-nix-database",
			"nixDatabase: none cannot be combined with a writable store: garbage "
			"collection in the guest would delete the running system");
}

/* A kept database would accumulate rows of earlier images: only the guest's Nix removes any. */
static void check_registration(const struct checker *checker, const struct nix_state *state)
{
	if (state->kept)
		check_error(checker, chosen(checker->vm), "bad-nix-database",
			"nixDatabase: registration requires a database that is new at each boot, "
			"but this one is kept; use prebuilt, which keeps it consistent with the "
			"image");
}

static void check_host_overlay(const struct checker *checker)
{
	const struct vm *vm = checker->vm;
	if (!checker->storage->store)
		check_error(checker, chosen(vm), "bad-nix-database",
			"nixDatabase: hostOverlay shows the guest the host's database, but the "
			"guest has its own store; share %s and set storeOnDisk: false",
			vm->store_dir);
	if (checker->backend && checker->guest.on_mac)
		check_error(checker, chosen(vm), "bad-nix-database",
			"nixDatabase: hostOverlay copies the host's database with a Linux program, "
			"but %s runs on macOS",
			checker->backend->name);
}

/* The directory mounted on Nix's state directory would hide a mount inside it. */
static void check_inner_mount(const struct checker *checker, const struct nix_state *state,
	const char *point, const struct pos *where)
{
	if (!point || !is_within(point, state->dir))
		return;
	if (strcmp(point, state->dir) == 0)
		check_error(checker, where, "bad-nix-database",
			"the mount on %s is read-only, but the state of the writable store is kept "
			"there; make it writable, or mount nothing there",
			point);
	else
		check_error(checker, where, "bad-nix-database",
			"the mount point %s is inside %s, which is kept with the writable store; "
			"mount %s itself, or nothing in it",
			point, state->dir, state->dir);
	diag_note(checker->diag, vm_where(checker->vm, &checker->vm->writable_store_overlay),
		"bad-nix-database", "the writable store is defined here");
}

static void check_bound(const struct checker *checker, const struct nix_state *state)
{
	const struct vm *vm = checker->vm;
	for (size_t i = 0; i < vm->volumes.n; i++)
		check_inner_mount(checker, state, vm->volumes.v[i].mount_point,
			check_position(
				checker, &vm->volumes.v[i].mount_point, &vm->volumes.v[i].where));
	for (size_t i = 0; i < vm->shares.n; i++)
		check_inner_mount(checker, state, vm->shares.v[i].mount_point,
			check_position(
				checker, &vm->shares.v[i].mount_point, &vm->shares.v[i].where));
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
