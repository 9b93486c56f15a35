/* SPDX-License-Identifier: MIT */
/* Descriptions and arguments of a run together: settings, overlays, and the number of errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "backends/qemu/qemu.h"
#include "base/buf.h"
#include "compiler/session/session.h"
#include "tests/unit/fixture.h"

/* QEMU is the first backend in the registry. */
static const struct qemu_options *qemu_of(const struct vm *vm)
{
	return (const struct qemu_options *)vm->own[0];
}

#define NEEDED "hostName: web1\ntoplevel: /nix/store/x\n"

static const char *description(struct fixture *f, const char *name, const char *text)
{
	const char *path = scratch_path(f, name);
	unlink(path);
	assert_ok(f, file_write(f->diag, path, text, strlen(text), 0644));
	return path;
}

/* Runs on one description, with arguments of --set that end with NULL. */
static struct session *run(struct fixture *f, const char *text, const char *const *sets)
{
	struct session *session = arena_alloc(f->arena, sizeof *session);
	f->diag = diag_new(f->arena);
	*session = (struct session){.arena = f->arena, .diag = f->diag};
	vec_push(f->arena, &session->input.files, description(f, "vm.yaml", text));
	for (; sets && *sets; sets++)
		vec_push(f->arena, &session->input.sets, *sets);
	bool ok = session_check(session);
	assert_int_equal(ok, diag_error_count(f->diag) == 0);
	return session;
}

#define SETS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void settings_override_the_description(void **state)
{
	struct fixture *f = *state;
	const struct session *session = run(f,
		NEEDED "mem: 256\nqemu: {machine: q35, serialConsole: false}\nvolumes: [{image: a, "
		       "size: 8}, {image: b, size: 8}]\nkernelParams: [a, b]\n",
		SETS("vcpu=4", "mem=1G", "qemu.machine=microvm", "volumes.1.size=2G",
			"volumes.0={readOnly: true}", "kernelParams.1='b c'", "preStart=a=b",
			"microvm.balloon=true", "socket=", "credentialFiles.a.b=/x", "vcpu=5"));
	assert_int_equal(diag_error_count(f->diag), 1); /* credentialFiles.a is a string */
	assert_said(f,
		"--set credentialFiles.a.b: error: credentialFiles.a: expected a string, not a map "
		"[wrong-type]");
	assert_int_equal(session->vm->vcpu, 5);
	assert_int_equal(session->vm->mem_mib, 1024);
	assert_string_equal(qemu_of(session->vm)->machine, "microvm");
	assert_false(qemu_of(session->vm)->serial_console);
	assert_int_equal(session->vm->volumes.v[0].size_mib, 8);
	assert_true(session->vm->volumes.v[0].read_only);
	assert_int_equal(session->vm->volumes.v[1].size_mib, 2048);
	assert_string_equal(session->vm->kernel_params.v[1], "b c");
	assert_string_equal(session->vm->pre_start, "a=b");
	assert_true(session->vm->balloon);
	assert_null(session->vm->socket);
}

static void all_wrong_settings_are_reported(void **state)
{
	static const struct {
		const char *set, *said;
	} cases[] = {
		{"vcpu", "mvmbuild: error: --set vcpu: expected KEY=VALUE [usage]"},
		{"=1", "--set =1: expected KEY=VALUE [usage]"},
		{"vcpu=x",
			"--set vcpu: error: vcpu: expected a whole number from 1 to 1024, not "
			"\"x\" [wrong-type]\n      | vcpu=x\n      |      ^\n"},
		{"vcpus=1",
			"--set vcpus: error: unknown option \"vcpus\"; did you mean \"vcpu\"? "
			"[unknown-option]\n      | vcpus=1\n      | ^~~~~\n"},
		{"qemu.machin=1", "      | qemu.machin=1\n      |      ^~~~~~\n"},
		{"volumes.2.size=1",
			"--set volumes.2.size: error: the list volumes has no element \"2\"; its "
			"elements are 0 to 1 [no-such-element]\n      | volumes.2.size=1\n      |  "
			"       "
			"^\n"},
		{"volumes.x.size=1",
			"the list volumes has no element \"x\"; its elements are 0 to 1"},
		{"volumes.-1.size=1", "the list volumes has no element \"-1\""},
		{"volumes.99999999999999999999=1", "has no element \"99999999999999999999\""},
		{"devices.0.bus=pci", "the list devices has no element \"0\"; it is empty"},
		{"volumes.0.image.0=x", "volumes[0].image: expected a string, not a map"},
		{"a..b=1",
			"--set a..b: error: the parts of an option's name must be separated by one "
			"dot [usage]"},
		{".a=1", "must be separated by one dot"},
		{"a.=1", "must be separated by one dot"},
		{"microvm.=1", "must be separated by one dot"},
		{"mem=[1", "--set mem: error: expected \",\" or \"]\" [syntax]"},
		{"mem=1\n---\n2", "expected a single value, found a second document"},
		{"mem=\xff",
			"--set mem: error: the text is not UTF-8, which a description must be "
			"[syntax]\n      | mem=?\n      |     ^\n"},
	};
	struct fixture *f = *state;
	BUF_CLEANUP struct buf deep = {0};
	for (size_t i = 0; i < countof(cases); i++) {
		run(f, NEEDED "volumes: [{image: a, size: 8}, {image: b, size: 8}]\n",
			SETS(cases[i].set));
		assert_int_equal(diag_error_count(f->diag), 1);
		assert_said(f, cases[i].said);
	}
	run(f, NEEDED, SETS("a..b=1", "mem=[1", "x"));
	assert_int_equal(diag_error_count(f->diag), 3);
	for (int i = 0; i < 100000; i++)
		buf_puts(&deep, "a.");
	buf_puts(&deep, "a=1");
	run(f, NEEDED, SETS(buf_text(&deep)));
	assert_int_equal(diag_error_count(f->diag), 1);
}

static void the_hypervisor_option_is_plain_text(void **state)
{
	struct fixture *f = *state;
	struct session session = {.arena = f->arena, .diag = f->diag, .input.hypervisor = "[qemu"};
	vec_push(f->arena, &session.input.files, description(f, "vm.yaml", NEEDED));
	assert_false(session_check(&session));
	assert_said(f,
		"--hypervisor: error: hypervisor: unknown value \"[qemu\"; did you mean \"qemu\"? "
		"[unknown-value]\n      | [qemu\n      | ^~~~~\n");
}

static void paths_are_relative_to_their_file(void **state)
{
	struct fixture *f = *state;
	const struct session *session = run(f,
		"hostName: web1\ntoplevel: system\nstorePaths: [extra, /nix/store/y]\n"
		"kernel: vmlinux\ninitrd: guest\n",
		NULL);
	const struct vm *vm = session->vm;
	assert_string_equal(vm->toplevel, scratch_path(f, "system"));
	assert_string_equal(vm->store_paths.v[0], scratch_path(f, "extra"));
	assert_string_equal(vm->store_paths.v[1], "/nix/store/y");
	assert_int_equal(vm_where(vm, vm->store_paths.v[0])->column, 14);
	assert_string_equal(vm->kernel, scratch_path(f, "vmlinux"));
	assert_string_equal(vm->initrd, "guest");
}

static void descriptions_are_merged(void **state)
{
	struct fixture *f = *state;
	struct session session = {.arena = f->arena, .diag = f->diag};
	vec_push(f->arena, &session.input.files,
		description(f, "base.yaml",
			"microvm: {hostName: a, vcpu: 2, mem: 64}\ntoplevel: /x\nvcpu: 3\n"));
	vec_push(f->arena, &session.input.files,
		description(f, "over.json", "{\"hostName\": \"b\"}"));
	assert_ok(f, session_check(&session));
	assert_string_equal(session.vm->host_name, "b");
	assert_int_equal(session.vm->vcpu, 3);
	assert_int_equal(session.vm->mem_mib, 64);
	/* The position is in the file that gave the value. */
	assert_string_equal(
		vm_where(session.vm, &session.vm->host_name)->file, scratch_path(f, "over.json"));
	/* Errors of both files, in the order of the command line. */
	session = (struct session){.arena = f->arena, .diag = f->diag};
	vec_push(f->arena, &session.input.files, description(f, "2.yaml", "a: [\n"));
	vec_push(f->arena, &session.input.files, description(f, "1.yaml", "b: {\n"));
	assert_false(session_check(&session));
	const char *said = messages(f), *second = strstr(said, "2.yaml"),
		   *first = strstr(said, "1.yaml");
	assert_true(second && first && second < first);
}

/* An error in any stage is counted. */
static void every_error_counts(void **state)
{
	static const char *const texts[] = {
		"hostName: a\n" NEEDED,
		NEEDED "vcpu: x\n",
		NEEDED "nope: 1\n",
		NEEDED "machineId: x\n",
		"hostName: a\n",
		"",
		"- a\n",
		"a: [\n",
		NEEDED "shares: [{}]\n",
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(texts); i++) {
		run(f, texts[i], NULL);
		assert_true(diag_error_count(f->diag) > 0);
		assert_int_equal(diag_status(f->diag), STATUS_DESCRIPTION);
	}
	run(f, NEEDED, NULL);
	assert_int_equal(diag_error_count(f->diag), 0);
}

/* Checks run on all fields that could be bound, and report no consequences of the others. */
static void consequences_are_not_reported(void **state)
{
	static const struct {
		const char *text;
		size_t errors;
	} cases[] = {
		/* hostName is missing, and names are derived from it */
		{"toplevel: /x\n", 1},
		{"toplevel: /x\ninterfaces: [{type: user, id: a}]\n", 1},
		/* the hypervisor is unknown, and so are its capabilities */
		{NEEDED "hypervisor: qmeu\nballoon: true\nhotplugMem: 64\n", 1},
		/* the size was refused, so it is not missing */
		{NEEDED "volumes: [{image: a, size: 5TB}]\n", 1},
		{NEEDED "volumes: [{image: a, szie: 8}]\n", 1},
		/* whether the image is created is unknown */
		{NEEDED "volumes: [{image: a, autoCreate: no}]\n", 1},
		{NEEDED "volumes: [{image: a, size: 8, imageType: qcow}]\n", 1},
		/* without names, no image is used twice */
		{NEEDED "volumes: [{size: 8}, {size: 8}]\n", 2},
		{NEEDED "volumes: [a, b]\n", 2},
		/* the interfaces were refused, so none is missing */
		{NEEDED "interfaces: 5\nforwardPorts: [{host: {port: 1}, guest: {port: 1}}]\n", 1},
		{NEEDED "interfaces: [{type: usr, id: a}]\nforwardPorts: [{host: {port: 1}, guest: "
			"{port: 1}}]\n",
			1},
		/* equal ids also give equal derived MAC addresses */
		{NEEDED "interfaces: [{type: user, id: a}, {type: user, id: a}]\n", 1},
		{NEEDED "hotplugMem: x\nhotpluggedMem: 64\nqemu: {machine: q35}\n", 1},
		{NEEDED "hotplugMem: 64\nqemu: {machine: [q35]}\n", 1},
		{NEEDED "storeDisk: {engine: mksquash, compression: xz}\n", 1},
		{NEEDED "nixDatabase: [prebuilt]\ninitrd: /x\n", 1},
		/* the default of storeOnDisk depends on the shares */
		{NEEDED "shares: [{tag: a, source: /nix/store, mountPoint: /nix/.ro-store}]\n", 0},
		{NEEDED "storeOnDisk: false\n", 1},
		/* the share without a source may be the store */
		{NEEDED "storeOnDisk: false\nshares: [{tag: a, mountPoint: /a}]\n", 1},
		{NEEDED "forwardPorts: [{from: gast, host: {port: 1}, guest: {port: "
			"1}}]\ninterfaces: [{type: user, id: a}]\n",
			1},
		{NEEDED "forwardPorts: [{from: guest, proto: tcp, host: {port: 1, address: [a]}, "
			"guest: {port: 1, address: 10.0.2.9}}]\n"
			"interfaces: [{type: user, id: a}]\n",
			1},
		/* Independent errors are reported too. */
		{NEEDED "volumes: [{image: a, szie: 8, serial: 'x y'}]\n", 2},
		{NEEDED "vcpu: x\nmachineId: x\n", 2},
		{NEEDED "unknown: x\nvolumes: [{image: a, size: 8}, {image: ./a, size: 8}]\n", 2},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++) {
		run(f, cases[i].text, NULL);
		if (diag_error_count(f->diag) != cases[i].errors)
			fail_msg("%s%s", cases[i].text, messages(f));
	}
}

static double seconds_of(struct fixture *f, const char *text)
{
	struct timespec start, end;
	clock_gettime(CLOCK_MONOTONIC, &start);
	run(f, text, NULL);
	messages(f);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
}

/* Takes well below a second; the limit leaves room for sanitizers and busy machines. */
static void ten_thousand_errors_are_fast(void **state)
{
	struct fixture *f = *state;
	BUF_CLEANUP struct buf unknown = {0}, elements = {0}, same = {0};
	buf_puts(&elements, NEEDED "interfaces:\n");
	buf_puts(&same, NEEDED "volumes:\n");
	for (int i = 0; i < 10000; i++) {
		buf_printf(&unknown, "unknownOption%d: 1\n", i);
		buf_puts(&elements, "- {type: usr, id: 'a b', tap: {vhost: true}}\n");
		buf_puts(&same, "- {image: a.img, size: 8, mountPoint: /data}\n");
	}
	const struct buf *const texts[] = {&unknown, &elements, &same};
	for (size_t i = 0; i < countof(texts); i++) {
		double seconds = seconds_of(f, buf_text(texts[i]));
		assert_true(diag_error_count(f->diag) > 9000);
		if (seconds > 10)
			fail_msg("text %zu took %.1f s", i, seconds);
	}
}

static void zero_jobs_are_all_cpus(void **state)
{
	(void)state;
	struct build_settings settings = {0};
	setenv("NIX_BUILD_CORES", "7", 1);
	assert_int_equal(settings_jobs(&settings), 7);
	settings.all_cpus = true;
	assert_int_equal(settings_jobs(&settings), sysconf(_SC_NPROCESSORS_ONLN));
	settings.jobs = 3;
	assert_int_equal(settings_jobs(&settings), 3);
	unsetenv("NIX_BUILD_CORES");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			settings_override_the_description, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			all_wrong_settings_are_reported, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			the_hypervisor_option_is_plain_text, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			paths_are_relative_to_their_file, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			descriptions_are_merged, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			every_error_counts, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			consequences_are_not_reported, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			ten_thousand_errors_are_fast, fixture_setup, fixture_teardown),
		cmocka_unit_test(zero_jobs_are_all_cpus),
	};
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
