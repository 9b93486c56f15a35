/* SPDX-License-Identifier: MIT */
/* The facts derived from a description, and a backend's input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compiler/describe/bind.h"
#include "compiler/describe/defaults.h"
#include "compiler/describe/doc.h"
#include "compiler/storage/derive.h"
#include "compiler/storage/guest.h"
#include "compiler/storage/storage.h"
#include "tests/unit/fixture.h"

#define NEEDED "hostName: web1\ntoplevel: /nix/store/x\n"
#define SHARED_STORE \
	"shares: [{tag: store, source: /nix/store, mountPoint: /nix/.ro-store, proto: virtiofs}, " \
	"{tag: a, source: /a, mountPoint: /a, proto: virtiofs, socket: null}]\n"

/* Binds and completes a description, parts of which may be refused. */
static const struct vm *complete(struct fixture *f, const char *text)
{
	struct vm *vm = arena_alloc(f->arena, sizeof *vm);
	const char *whole = arena_printf(f->arena, NEEDED "%s", text);
	const struct bytes bytes = {arena_strdup(f->arena, whole), strlen(whole)};
	struct documents documents = {0};
	assert_ok(f, doc_parse(f->arena, f->diag, "vm.yaml", &bytes, &documents));
	vm_bind(f->arena, f->diag, documents.v[0], vm);
	vm_complete(f->arena, f->diag, vm);
	return vm;
}

static struct storage derive(struct fixture *f, const struct vm *vm)
{
	struct storage storage;
	storage_derive(f->arena, vm, &storage);
	return storage;
}

static void the_database_is_a_share_of_the_guest_alone(void **state)
{
	struct fixture *f = *state;
	const struct vm *vm = complete(f, "nixDatabase: hostOverlay\n" SHARED_STORE);
	const struct storage storage = derive(f, vm);
	assert_int_equal(vm->shares.n, 2);
	assert_int_equal(storage.shares.n, 3);
	assert_ptr_equal(storage.shares.v[1], &vm->shares.v[1]);
	assert_non_null(vm_where(vm, &storage.shares.v[1]->socket));
	assert_ptr_equal(storage.shares.v[2], storage.database);
	assert_string_equal(storage.database->mount_point, "/nix/.ro-db");
	assert_string_equal(storage.database->socket, "web1-virtiofs-mvm-nix-db.sock");
	assert_int_equal(storage.database->where.line, 3);
}

static void the_store_is_a_share_or_a_disk(void **state)
{
	struct fixture *f = *state;
	const struct vm *vm = complete(f, SHARED_STORE);
	const struct storage shared = derive(f, vm);
	assert_ptr_equal(shared.store, &vm->shares.v[0]);
	assert_string_equal(shared.store_target, "/nix/.ro-store");
	const struct storage disk = derive(f, complete(f, "storeOnDisk: true\n" SHARED_STORE));
	assert_null(disk.store);
	assert_string_equal(disk.store_target, "/nix/store");
	assert_null(disk.database);
}

static void the_overlay_knows_its_volume(void **state)
{
	struct fixture *f = *state;
	const struct vm *vm = complete(f,
		"writableStoreOverlay: /rw/nix\n"
		"volumes: [{image: a.img, size: 8, mountPoint: /rw}]\n");
	const struct storage storage = derive(f, vm);
	assert_true(storage.writable);
	assert_string_equal(storage.overlay.lower, "/nix/.ro-store");
	assert_string_equal(storage.overlay.upper, "/rw/nix/store");
	assert_ptr_equal(storage.overlay.volume, &vm->volumes.v[0]);
	assert_string_equal(storage.nix.bound, "/rw/nix/var");
	assert_true(storage_is_early(vm, &storage, "/rw"));
	assert_false(storage_is_early(vm, &storage, "/home"));
}

/* Checks read derived facts even if elements of the description lack required fields. */
static void refused_elements_are_passed_over(void **state)
{
	struct fixture *f = *state;
	const struct vm *vm = complete(f,
		"nixDatabase: hostOverlay\nwritableStoreOverlay: /rw\n"
		"shares: [{}, {tag: [], source: /nix/store}]\nvolumes: [{}]\ninterfaces: [{}]\n");
	const struct storage storage = derive(f, vm);
	struct guest guest;
	assert_int_equal(storage.shares.n, 3);
	guest_lower(f->arena, vm, &storage, vm->hypervisor, &guest);
	assert_int_equal(guest.nshares, 3);
	assert_int_equal(guest.nnics, 1);
}

static void interfaces_get_queues_and_descriptors(void **state)
{
	struct fixture *f = *state;
	const struct vm *vm = complete(f,
		"vcpu: 2\nqemu: {version: '9.1'}\ninterfaces: [{type: tap, id: t}, {type: user, "
		"id: u}, "
		"{type: macvtap, id: m, macvtap: {link: l, mode: bridge}}, "
		"{type: macvtap, id: n, macvtap: {link: l, mode: bridge}}]\n");
	const struct storage storage = derive(f, vm);
	struct guest guest;
	guest_lower(f->arena, vm, &storage, vm->hypervisor, &guest);
	assert_int_equal(guest.nics[0].queues, 2);
	assert_null(guest.nics[0].fds);
	assert_int_equal(guest.nics[1].queues, 1);
	assert_int_equal(guest.nics[2].fds[0], FIRST_FREE_FD);
	assert_int_equal(guest.nics[3].fds[1], FIRST_FREE_FD + 3);
	assert_string_equal(guest.options->version, "9.1");
	guest_lower(f->arena, vm, &storage, backend_find("alioth"), &guest);
	assert_null(guest.options->version);
	assert_null(guest.nics[2].fds);
	assert_false(guest.disks[0].by_serial);
	assert_string_equal(guest.disks[0].source, "/dev/vda");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_database_is_a_share_of_the_guest_alone,
			fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			the_store_is_a_share_or_a_disk, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			the_overlay_knows_its_volume, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			refused_elements_are_passed_over, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			interfaces_get_queues_and_descriptors, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("storage", tests, NULL, NULL);
}
