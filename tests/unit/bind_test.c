/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backends/qemu/qemu.h"
#include "base/buf.h"
#include "backends/interface/backend.h"
#include "compiler/describe/bind.h"
#include "compiler/describe/defaults.h"
#include "compiler/describe/options.h"
#include "tests/unit/fixture.h"

/* QEMU is the first backend in the registry. */
static const struct qemu_options *qemu_of(const struct vm *vm)
{
	return (const struct qemu_options *)vm->own[0];
}

/* The two options that every description must give. */
#define NEEDED "hostName: web1\ntoplevel: /nix/store/x\n"

static bool bind(struct fixture *f, const char *text, struct vm *vm)
{
	const struct bytes bytes = {arena_strdup(f->arena, text), strlen(text)};
	struct documents documents = {0};
	assert_ok(f, doc_parse(f->arena, f->diag, "vm.yaml", &bytes, &documents));
	return vm_bind(f->arena, f->diag, documents.v[0], vm);
}

static struct vm *bound(struct fixture *f, const char *text)
{
	struct vm *vm = arena_alloc(f->arena, sizeof *vm);
	assert_ok(f, bind(f, arena_printf(f->arena, NEEDED "%s", text), vm));
	assert_string_equal(messages(f), "");
	return vm;
}

/* The text is refused with exactly `errors` errors, among them the message `said`. */
static void assert_refused(struct fixture *f, const char *text, size_t errors, const char *said)
{
	struct vm vm;
	size_t before = diag_error_count(f->diag);
	assert_false(bind(f, arena_printf(f->arena, NEEDED "%s", text), &vm));
	if (diag_error_count(f->diag) - before != errors)
		fail_msg("%zu errors: %s", diag_error_count(f->diag) - before, messages(f));
	assert_said(f, said);
}

static void defaults_are_set(void **state)
{
	struct fixture *f = *state;
	const struct vm *vm =
		bound(f, "volumes: [{image: a, size: 1}]\nqemu: {pcieRootPorts: [{id: p}]}\n");
	assert_string_equal(vm->host_name, "web1");
	assert_string_equal(vm->store_dir, "/nix/store");
	assert_string_equal(vm->hypervisor->name, "qemu");
	assert_int_equal(vm->vcpu, 1);
	assert_int_equal(vm->mem_mib, 512);
	assert_true(vm->deflate_on_oom);
	assert_int_equal(vm->vsock.cid, -1);
	assert_null(vm->cpu);
	assert_string_equal(vm->pre_start, "");
	assert_int_equal(vm->store_disk.engine, ENGINE_LINKED);
	assert_int_equal(vm->store_disk_type, STORE_TYPE_OPEN);
	assert_int_equal(vm->graphics.vulkan, NO_VULKAN);
	assert_null(vulkan_names[NO_VULKAN]);
	assert_string_equal(vm->virtiofsd.thread_pool_size, "`nproc`");
	assert_true(vm->volumes.v[0].auto_create);
	assert_string_equal(vm->volumes.v[0].fs_type, "ext4");
	assert_int_equal(vm->own[0]->pcie_root_ports.v[0].chassis, -1);
	assert_null(vm_where(vm, &vm->vcpu));
	assert_null(vm_where(vm, &vm->volumes.v[0].auto_create));
}

static void values_are_bound(void **state)
{
	struct fixture *f = *state;
	const struct vm *vm = bound(f,
		"vcpu: 1024\nmem: 2G\nballoon: true\nkernelParams: [a, 'b c', 5, true]\ncpu: "
		"'486-v1'\n"
		"credentialFiles: {b: /2, a: 1}\nhypervisor: crosvm\nstoreDisk: {level: 22}\n"
		"volumes:\n- {image: a, size: 512MiB, readOnly: true}\n- {image: b}\nforwardPorts: "
		"[{host: {port: 1}, guest: {port: 65535}}]\n");
	assert_int_equal(vm->vcpu, 1024);
	assert_int_equal(vm->mem_mib, 2048);
	assert_true(vm->balloon);
	assert_int_equal(vm->kernel_params.n, 4);
	assert_string_equal(vm->kernel_params.v[1], "b c");
	assert_string_equal(vm->kernel_params.v[2], "5");
	assert_string_equal(vm->kernel_params.v[3], "true");
	assert_string_equal(vm->cpu, "486-v1");
	/* Pairs are sorted by key. */
	assert_string_equal(vm->credential_files.v[0].key, "a");
	assert_string_equal(vm->credential_files.v[1].value, "/2");
	assert_string_equal(vm->hypervisor->name, "crosvm");
	assert_int_equal(vm->store_disk.level, 22);
	assert_int_equal(vm->volumes.n, 2);
	assert_int_equal(vm->volumes.v[0].size_mib, 512);
	assert_true(vm->volumes.v[0].read_only);
	assert_int_equal(vm->volumes.v[1].size_mib, 0);
	assert_int_equal(vm->forward_ports.v[0].guest.port, 65535);
}

static void assert_place(const struct pos *where, unsigned line, unsigned column)
{
	assert_non_null(where);
	assert_string_equal(where->file, "vm.yaml");
	assert_int_equal(where->line, line);
	assert_int_equal(where->column, column);
}

static void fields_know_where_they_were_written(void **state)
{
	struct fixture *f = *state;
	const struct vm *vm = bound(f,
		"vcpu: 2\nvolumes:\n  - image: a\n    size: 1\n  - {image: b}\nkernelParams: [x, "
		"y]\nbinScripts: {go: date}\nqemu:\n  machine: q35\n");
	assert_place(vm_where(vm, &vm->host_name), 1, 11);
	assert_place(vm_where(vm, &vm->vcpu), 3, 7);
	assert_place(vm_where(vm, &vm->volumes.v), 5, 3);
	assert_place(&vm->volumes.v[0].where, 5, 5);
	assert_place(vm_where(vm, &vm->volumes.v[0].size_mib), 6, 11);
	assert_place(&vm->volumes.v[1].where, 7, 5);
	assert_place(vm_where(vm, &vm->volumes.v[1].image), 7, 13);
	assert_place(vm_where(vm, vm->kernel_params.v[1]), 8, 19);
	assert_place(vm_where(vm, vm->bin_scripts.v[0].key), 9, 14);
	assert_place(vm_where(vm, &qemu_of(vm)->machine), 11, 12);
	assert_null(vm_where(vm, &vm->mem_mib));
}

static void wrong_values_are_refused(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{"cpu: [x]", "vm.yaml:3:6: error: cpu: expected a string, not a list [wrong-type]"},
		{"cpu: {x: 1}", "cpu: expected a string, not a map"},
		{"balloon: yes", "balloon: expected true or false, not \"yes\""},
		{"balloon: 'true'", "balloon: expected true or false, not the string \"true\""},
		{"balloon: 1", "balloon: expected true or false, not \"1\""},
		{"balloon: [true]", "balloon: expected true or false, not a list"},
		{"vcpu: 0", "vcpu: expected a whole number from 1 to 1024, not \"0\""},
		{"vcpu: 1025", "vcpu: expected a whole number from 1 to 1024, not \"1025\""},
		{"vcpu: -1", "vcpu: expected a whole number"},
		{"vcpu: --1", "vcpu: expected a whole number"},
		{"vcpu: 1-", "vcpu: expected a whole number"},
		{"vcpu: '-'", "vcpu: expected a whole number"},
		{"vcpu: 0x2", "vcpu: expected a whole number"},
		{"vcpu: 2.0", "vcpu: expected a whole number"},
		{"vcpu: 010",
			"vcpu: \"010\" begins with 0, and some YAML readers take it for octal; "
			"write 10"},
		{"vcpu: 00", "write 0"},
		{"kernel: $HOME/k", "kernel: \"$HOME/k\": variables and ~ are not expanded"},
		{"kernel: ~root/k", "variables and ~ are not expanded"},
		{"vcpu: 1e1", "vcpu: expected a whole number"},
		{"vcpu: '2'", "vcpu: expected a whole number from 1 to 1024, not the string \"2\""},
		{"vcpu: 9223372036854775808", "vcpu: expected a whole number"},
		{"vcpu: 18446744073709551617", "vcpu: expected a whole number"},
		{"vsock: {cid: 2}", "vsock.cid: expected a whole number from 3 to 4294967294"},
		{"hypervisor: qemo",
			"vm.yaml:3:13: error: hypervisor: unknown value \"qemo\"; did you mean "
			"\"qemu\"? [unknown-value]"},
		{"hypervisor: QEMU", "unknown value \"QEMU\"; did you mean \"qemu\"?"},
		{"hypervisor: xen-server",
			"unknown value \"xen-server\"; expected one of qemu, cloud-hypervisor, "
			"firecracker, crosvm"},
		{"hypervisor: []", "hypervisor: expected a string, not a list"},
		{"kernelParams: quiet",
			"kernelParams: expected a list of strings such as [a, b], not \"quiet\""},
		{"kernelParams: {a: b}",
			"kernelParams: expected a list of strings such as [a, b], not a map"},
		{"kernelParams: [a, ~, b]",
			"vm.yaml:3:19: error: kernelParams[1]: expected a string, not null"},
		{"kernelParams: [{a: b}]", "kernelParams[0]: expected a string, not a map"},
		{"credentialFiles: [a]", "credentialFiles: expected a map of strings, not a list"},
		{"credentialFiles: {a: [b]}",
			"vm.yaml:3:22: error: credentialFiles.a: expected a string, not a list"},
		{"credentialFiles: {a: }", "credentialFiles.a: expected a string, not null"},
		{"volumes: {image: a}",
			"volumes: expected a list such as [{image: ...}], not a map"},
		{"volumes: a.img",
			"volumes: expected a list such as [{image: ...}], not \"a.img\""},
		{"volumes: [a.img]",
			"vm.yaml:3:11: error: volumes[0]: expected a map such as {image: ...}, not "
			"\"a.img\""},
		{"volumes: [null]", "volumes[0]: expected a map such as {image: ...}, not null"},
		{"qemu: q35", "qemu: expected a map, not \"q35\""},
		{"qemu: [q35]", "qemu: expected a map, not a list"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++)
		assert_refused(f, cases[i].text, 1, cases[i].said);
	/* Every wrong item is reported, not only the first. */
	assert_refused(f, "kernelParams: [~, a, ~, []]", 3,
		"kernelParams[3]: expected a string, not a list");
}

static void sizes_are_parsed(void **state)
{
	static const struct {
		const char *text;
		uint64_t mib;
		const char *said;
	} cases[] = {
		{"1", 1, NULL},
		{"64", 64, NULL},
		{"'64'", 64, NULL},
		{"0064", 0,
			"mem: \"0064\" begins with 0, and some YAML readers take it for octal; "
			"write 64"},
		{"2G", 2048, NULL},
		{"2GiB", 2048, NULL},
		{"512MiB", 512, NULL},
		{"512M", 512, NULL},
		{"1 TiB", 1 << 20, NULL},
		{"'1 TiB'", 1 << 20, NULL},
		{"16T", 16 << 20, NULL},
		{"0", 0, "vm.yaml:3:6: error: mem: \"0\": the size must not be 0 [wrong-size]"},
		{"0G", 0, "the size must not be 0"},
		{"17T", 0, "mem: \"17T\": the size is too large; the limit is 16 TiB"},
		{"16777217", 0, "the limit is 16 TiB"},
		{"9223372036854775808", 0, "the limit is 16 TiB"},
		{"18446744073709551615", 0, "the limit is 16 TiB"},
		{"18446744073709551616", 0, "the size is too large"},
		{"99999999999999999999999999999999", 0, "the size is too large"},
		/* 2^64 MiB, in two units. */
		{"18014398509481984G", 0, "the size is too large"},
		{"17592186044416T", 0, "the size is too large"},
		{"-1", 0, "mem: \"-1\": expected a size such as 64, 512MiB or 2G"},
		{"+1", 0, "expected a size"},
		{"G", 0, "expected a size"},
		{"' 1'", 0, "expected a size"},
		{"''", 0, "expected a size"},
		{"1.5G", 0, "mem: \"1.5G\": expected a whole number; use a smaller unit"},
		{"512MB", 0, "mem: \"512MB\": units are powers of two: use MiB, GiB or TiB"},
		{"2GB", 0, "units are powers of two"},
		{"2g", 0,
			"unknown unit; a size is a number of MiB, or ends in M, MiB, G, GiB, T or "
			"TiB"},
		{"2K", 0, "unknown unit"},
		{"2Gi", 0, "unknown unit"},
		{"0x10", 0, "unknown unit"},
		{"1 G B", 0, "unknown unit"},
		{"[1]", 0, "mem: expected a size, not a list [wrong-type]"},
		{"{a: 1}", 0, "mem: expected a size, not a map"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++) {
		const char *text = arena_printf(f->arena, "mem: %s\n", cases[i].text);
		if (cases[i].said)
			assert_refused(f, text, 1, cases[i].said);
		else
			assert_int_equal(bound(f, text)->mem_mib, cases[i].mib);
	}
	assert_int_equal(bound(f, "hotplugMem: 0\n")->hotplug_mem_mib, 0);
}

/* null counts as "not given", except for options that give it a meaning (null_can_mean_none). */
static void null_is_the_default(void **state)
{
	struct fixture *f = *state;
	struct vm *vm = bound(f,
		"vcpu: null\nmem: ~\nhypervisor:\ncpu: null\nvolumes: null\nqemu: "
		"null\nkernelParams: null\nstoreOnDisk: null\n"
		"hotplugMem: 64\nhotpluggedMem: null\nmachineId: null\nsocket: null\nvsock: {cid: "
		"null}\nstoreDisk: null\n");
	assert_int_equal(vm->vcpu, 1);
	assert_int_equal(vm->mem_mib, 512);
	assert_string_equal(vm->hypervisor->name, "qemu");
	assert_null(vm->cpu);
	assert_int_equal(vm->volumes.n, 0);
	assert_null(vm_where(vm, &vm->kernel_params));
	vm_complete(f->arena, f->diag, vm);
	assert_true(vm->store_on_disk);
	assert_int_equal(vm->hotplugged_mem_mib, 64);
	assert_null(vm_where(vm, &vm->hotplugged_mem_mib));
}

static void null_can_mean_none(void **state)
{
	struct fixture *f = *state;
	struct vm *none = bound(f, "machineId: null\nsocket: null\n"), *left_out = bound(f, "");
	vm_complete(f->arena, f->diag, none);
	vm_complete(f->arena, f->diag, left_out);
	assert_null(none->socket);
	assert_null(none->machine_id);
	assert_string_equal(left_out->socket, "web1.sock");
	assert_int_equal(strlen(left_out->machine_id), 36);
}

static void generated_options_are_noted(void **state)
{
	struct fixture *f = *state;
	struct vm vm;
	assert_ok(f,
		bind(f,
			NEEDED
			"runner: {qemu: /nix/store/r}\nbootDisk: x\nstoreDisk: /nix/store/disk\n",
			&vm));
	const char *said = messages(f);
	assert_non_null(strstr(said, "vm.yaml:3:1: note: runner is ignored [generated-option]"));
	assert_non_null(strstr(said, "vm.yaml:4:1: note: bootDisk is ignored"));
	assert_non_null(strstr(said, "vm.yaml:5:1: note: storeDisk is ignored"));
	assert_int_equal(vm.store_disk.type, STORE_SQUASHFS);
	assert_refused(f, "balloonMem: 64", 1,
		"vm.yaml:3:1: error: balloonMem was removed; use balloon: true, and "
		"initialBalloonMem [removed-option]");
}

static void required_options_are_reported(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{"volumes: [{size: 5}]",
			"vm.yaml:3:11: error: volumes[0].image is missing [missing-option]"},
		{"volumes: [{image: a}, {image: ''}]",
			"vm.yaml:3:31: error: volumes[1].image must not be empty [missing-option]"},
		{"volumes: [{image: null}]", "vm.yaml:3:19: error: volumes[0].image is missing"},
		{"interfaces: [{id: a}]", "vm.yaml:3:14: error: interfaces[0].type is missing"},
		{"forwardPorts: [{host: {port: 1}}]",
			"vm.yaml:3:16: error: forwardPorts[0].guest.port is missing"},
		{"forwardPorts: [{host: {port: 1}, guest: {}}]",
			"vm.yaml:3:41: error: forwardPorts[0].guest.port is missing"},
		{"forwardPorts: [{host: {port: 1}, guest: null}]",
			"forwardPorts[0].guest.port is missing"},
		/* A misspelt or ill-typed option is reported once, not as missing too. */
		{"volumes: [{imgae: a}]",
			"vm.yaml:3:12: error: unknown option \"volumes[0].imgae\"; did you mean "
			"\"volumes[0].image\"? [unknown-option]"},
		{"volumes: [{image: [a]}]", "volumes[0].image: expected a string"},
		{"forwardPorts: [{hots: {port: 1}, guest: {port: 1}}]",
			"did you mean \"forwardPorts[0].host\"?"},
		{"forwardPorts: [{host: 1, guest: {port: 1}}]",
			"forwardPorts[0].host: expected a map"},
	};
	struct fixture *f = *state;
	struct vm vm;
	for (size_t i = 0; i < countof(cases); i++)
		assert_refused(f, cases[i].text, 1, cases[i].said);
	assert_false(bind(f, "vcpu: 1\n", &vm));
	const char *said = messages(f);
	assert_non_null(strstr(said, "vm.yaml:1:1: error: hostName is missing"));
	assert_non_null(strstr(said, "vm.yaml:1:1: error: toplevel is missing"));
	assert_false(bind(f, "hostname: a\ntopLevel: b\n", &vm));
	said = messages(f);
	assert_non_null(strstr(said, "did you mean \"hostName\"?"));
	assert_non_null(strstr(said, "did you mean \"toplevel\"?"));
	assert_null(strstr(said, "is missing"));
}

static void unknown_options_have_suggestions(void **state)
{
	struct fixture *f = *state;
	assert_refused(f, "vcpus: 2", 1,
		"vm.yaml:3:1: error: unknown option \"vcpus\"; did you mean \"vcpu\"? "
		"[unknown-option]");
	assert_refused(f, "qemu: {machin: q35}", 1,
		"vm.yaml:3:8: error: unknown option \"qemu.machin\"; did you mean "
		"\"qemu.machine\"?");
	assert_refused(f, "volumes: [{image: a, mountpoint: /x}]", 1,
		"did you mean \"volumes[0].mountPoint\"?");
	assert_refused(
		f, "frobnicate: 1", 1, "error: unknown option \"frobnicate\" [unknown-option]");
	assert_refused(f, "'': 1", 1, "error: unknown option \"\" [unknown-option]");
	/* Removed options are not suggested. */
	assert_refused(f, "baloonMem: 5", 1, "unknown option \"baloonMem\"");
	assert_refused(
		f, arena_printf(f->arena, "? '%0200d'\n: 1", 7), 1, "0000\" [unknown-option]");
}

/* Refused fields are marked, so that later checks do not use their values. */
static void refused_fields_are_marked(void **state)
{
	struct fixture *f = *state;
	struct vm *vm = arena_alloc(f->arena, sizeof *vm);
	assert_false(bind(f,
		"toplevel: /x\nvcpu: x\nhypervsor: qemu\nqemu: 5\nvolumes: [a, {image: b, siez: "
		"5}, {image: c, size: 5}]\nshares: 3\n",
		vm));
	assert_true(vm_refused(vm, &vm->host_name));
	assert_false(vm_refused(vm, &vm->toplevel));
	assert_true(vm_refused(vm, &vm->vcpu));
	assert_true(vm_refused(vm, &vm->hypervisor));
	assert_true(vm_refused(vm, &qemu_of(vm)->machine));
	assert_true(vm_refused(vm, &vm->own[0]->pcie_root_ports.v));
	assert_int_equal(vm->volumes.n, 3);
	assert_true(vm_refused(vm, &vm->volumes.v[0].image));
	assert_false(vm_refused(vm, &vm->volumes.v[1].image));
	assert_true(vm_refused(vm, &vm->volumes.v[1].size_mib));
	assert_false(vm_refused(vm, &vm->volumes.v[2].size_mib));
	assert_true(vm_refused(vm, &vm->shares.v));
	assert_int_equal(vm->shares.n, 0);
	assert_false(vm_refused(vm, &vm->mem_mib));
}

/* ---- every row of the table ---- */

/* The text of a description that sets one option of the table: "volumes: [{size: VALUE}]". */
struct row {
	const struct option *option;
	const char *before, *after;
	const char *name; /* as in messages: "volumes[0].size" */
};

static void each_row(struct fixture *f, const struct option *table, const struct row *outer,
	void (*visit)(struct fixture *, const struct row *))
{
	for (; table->name; table++) {
		const struct row row = {table,
			arena_printf(f->arena, "%s%s: ", outer->before, table->name), outer->after,
			arena_printf(f->arena, "%s%s%s", outer->name, *outer->name ? "." : "",
				table->name)};
		bool list = table->kind == OPTION_LIST;
		visit(f, &row);
		if (table->sub)
			each_row(f, table->sub,
				&(struct row){table,
					arena_printf(f->arena, list ? "%s[{" : "%s{", row.before),
					arena_printf(f->arena, list ? "}]%s" : "}%s", row.after),
					list ? arena_printf(f->arena, "%s[0]", row.name)
					     : row.name},
				visit);
	}
}

/* The messages when the option has this value. */
static const char *said_of(struct fixture *f, const struct row *row, const char *value)
{
	struct vm vm;
	bind(f, arena_printf(f->arena, "{%s%s%s}", row->before, value, row->after), &vm);
	return messages(f);
}

static const char *said_start(struct fixture *f, const struct row *row)
{
	return arena_printf(f->arena, "error: %s: ", row->name);
}

static void default_is_accepted(struct fixture *f, const struct row *row)
{
	const char *text = row->option->def ? row->option->def : "null";
	const char *said = said_of(f, row, text);
	if (row->option->state != OPTION_REMOVED && strstr(said, said_start(f, row)))
		fail_msg("%s: %s is refused: %s", row->name, text, said);
}

static void wrong_kind_is_refused(struct fixture *f, const struct row *row)
{
	enum option_kind kind = row->option->kind;
	bool list = kind == OPTION_LIST || kind == OPTION_STRINGS;
	const char *said = said_of(f, row, list ? "{x: 1}" : "[[x]]");
	if (kind != OPTION_TREE && kind != OPTION_NONE && !strstr(said, said_start(f, row)))
		fail_msg("%s takes anything: %s", row->name, said);
	if (row->option->state == OPTION_REMOVED && !strstr(said, "[removed-option]"))
		fail_msg("%s: %s", row->name, said);
}

static void limits_hold(struct fixture *f, const struct row *row)
{
	const struct option *option = row->option;
	if (option->kind != OPTION_INT && option->kind != OPTION_UINT && option->kind != OPTION_MIB)
		return;
	const int64_t inside[] = {option->minimum, option->maximum},
		      outside[] = {option->minimum - 1, option->maximum + 1};
	for (size_t i = 0; i < 2; i++) {
		const char *text = arena_printf(f->arena, "%lld", (long long)inside[i]),
			   *said = said_of(f, row, text);
		if (strstr(said, "[wrong-type]") || strstr(said, "[wrong-size]"))
			fail_msg("%s: %s is refused: %s", row->name, text, said);
		text = arena_printf(f->arena, "%lld", (long long)outside[i]);
		said = said_of(f, row, text);
		if (!strstr(said, said_start(f, row)))
			fail_msg("%s takes %s: %s", row->name, text, said);
	}
}

static void choices_are_taken(struct fixture *f, const struct row *row)
{
	if (!row->option->choices)
		return;
	for (const char *const *choice = row->option->choices; *choice; choice++)
		if (strstr(said_of(f, row, *choice), "[unknown-value]"))
			fail_msg("%s does not take %s", row->name, *choice);
	assert_non_null(strstr(said_of(f, row, "no-such-thing"), "[unknown-value]"));
}

/* A string becomes an argument of a program, whose length is limited. Scripts have no limit. */
static void lengths_hold(struct fixture *f, const struct row *row)
{
	enum { LONGEST = 65000 };
	char text[LONGEST + 2] = "";
	enum option_kind kind = row->option->kind;
	if (kind != OPTION_STRING && kind != OPTION_STRINGS && kind != OPTION_PAIRS)
		return;
	memset(text, 'x', LONGEST + 1);
	const char *value = kind == OPTION_STRINGS ? arena_printf(f->arena, "[%s]", text)
		: kind == OPTION_PAIRS             ? arena_printf(f->arena, "{a: %s}", text)
						   : text;
	if (!strstr(said_of(f, row, value), "[too-long]") != row->option->code)
		fail_msg("%s: a text of %d bytes is %s", row->name, LONGEST + 1,
			row->option->code ? "refused" : "taken");
}

static void every_option_keeps_its_limits(void **state)
{
	void (*const visits[])(struct fixture *, const struct row *) = {default_is_accepted,
		wrong_kind_is_refused, limits_hold, choices_are_taken, lengths_hold};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(visits); i++)
		each_row(f, vm_options(f->arena), &(struct row){NULL, "", "", ""}, visits[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(defaults_are_set, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(values_are_bound, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			fields_know_where_they_were_written, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			wrong_values_are_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(sizes_are_parsed, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			null_is_the_default, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			null_can_mean_none, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			generated_options_are_noted, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			required_options_are_reported, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			unknown_options_have_suggestions, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			refused_fields_are_marked, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			every_option_keeps_its_limits, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("bind", tests, NULL, NULL);
}
