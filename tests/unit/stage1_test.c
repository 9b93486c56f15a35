/* SPDX-License-Identifier: MIT */
/*
 * The initramfs as libarchive and cpio read it, and the plan in it as mvm-init reads it. How it
 * behaves in a VM is tested end to end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <archive.h>
#include <archive_entry.h>

#include "imaging/initrd/stage1.h"

/* The library does not contain the guest's readers. */
#include "imaging/guest/init/parameters.c"
#include "imaging/guest/init/plan.c"

#define FIXTURE_MORE \
	struct module_list modules; \
	struct stage1_request request;
#include "tests/unit/fixture.h"

static const char *scratch_file(struct fixture *f, const char *name, const char *content)
{
	const char *path = scratch_path(f, name);
	assert_ok(f, file_write(f->diag, path, content, strlen(content), 0600));
	return path;
}

#define ROOT "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0eff"
#define ROOT_BYTES \
	{ \
		0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, \
			0xdd, 0xee, 0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff \
	}

static const char *const arguments[] = {"mvm-init", "--seed", "/run/mvm/a seed", "", NULL};
static const char *const no_arguments[] = {"mvm-init", NULL};
/* The kinds are mixed, so that a plan grouped by kind is noticed. */
static const struct stage1_step steps[] = {
	{STAGE1_MOUNT, .mount = {true, "store", "/nix/store", "squashfs", "", true, NULL, NULL}},
	{STAGE1_LINK, .link = {"/nix/store/aaaa-nixos", "/nix/var/nix/gcroots/a root"}},
	{STAGE1_FILE, .file = {"mvm/files/2", "/nix/var/nix/db/schema", 0644}},
	{STAGE1_RUN, .run = {"mvm/programs/mvm-init", arguments}},
	{STAGE1_DIRECTORY, .directory = {"/rw/store", 01775, 0, 30000}},
	{STAGE1_MOUNT,
		.mount = {false, "a tag\\with\tall \"of\" it", "/mnt/with space", "9p",
			"trans=virtio,version=9p2000.L", false, NULL, NULL}},
	{STAGE1_GROW, .grow = {"/mnt/with space"}},
	{STAGE1_RUN, .run = {"mvm/programs/mvm-init", no_arguments}},
	{STAGE1_VERITY, .verity = {true, "the store", "store", (uint64_t)1 << 40, ROOT_BYTES}},
	{STAGE1_MOUNT,
		.mount = {false, "-", "/dash", "tmpfs", "-", false, "label:a label",
			"an image.img"}},
};

static int setup(void **state)
{
	if (fixture_setup(state) != 0)
		return -1;
	struct fixture *f = *state;
	struct module_file *modules = arena_alloc(f->arena, 3 * sizeof *modules);
	const char *packed = scratch_file(f, "virtio-rng.ko", "module two");
	shell(f, "xz --check=crc32 \"$1\"", packed, NULL);
	modules[0] = (struct module_file){
		"virtio_ring.ko", scratch_file(f, "virtio_ring.ko", "module one"), false};
	modules[1] = (struct module_file){
		"virtio-rng.ko", arena_printf(f->arena, "%s.xz", packed), true};
	f->modules = (struct module_list){modules, 2};
	struct stage1_step *own = arena_alloc(f->arena, sizeof steps);
	memcpy(own, steps, sizeof steps);
	struct stage1_contents contents = {0};
	vec_push(f->arena, &contents,
		(struct stage1_content){"mvm/files/2", scratch_file(f, "schema", "10")});
	f->request = (struct stage1_request){.output = scratch_path(f, "initrd"),
		.init = "/nix/store/aaaa-nixos/init",
		.nixos = true,
		.root_options = "mode=0755,size=50%",
		.modules = &f->modules,
		.steps = {own, countof(steps), countof(steps)},
		.contents = contents,
		.time = 1};
	return 0;
}

static struct stage1_result build(struct fixture *f)
{
	struct stage1_result result;
	assert_ok(f, stage1_write(f->arena, f->diag, &f->request, &result));
	return result;
}

/* An entry of the initramfs with its content as text. */
struct entry {
	const char *name, *content;
	mode_t mode;
	la_int64_t size;
};
struct entries {
	struct entry *v;
	size_t n;
	size_t capacity;
};

static struct entries list(struct fixture *f)
{
	struct entries entries = {0};
	struct archive *archive = archive_read_new();
	archive_read_support_format_cpio(archive);
	archive_read_support_filter_gzip(archive);
	assert_int_equal(archive_read_open_filename(archive, f->request.output, 65536), ARCHIVE_OK);
	for (struct archive_entry *entry;
		archive_read_next_header(archive, &entry) == ARCHIVE_OK;) {
		assert_int_equal(archive_entry_uid(entry), 0);
		assert_int_equal(archive_entry_gid(entry), 0);
		assert_int_equal(archive_entry_mtime(entry), f->request.time);
		assert_int_equal(archive_entry_ino(entry), entries.n + 1);
		if (archive_entry_filetype(entry) == S_IFCHR)
			assert_true(archive_entry_rdevmajor(entry) == 5 &&
				archive_entry_rdevminor(entry) == 1);
		char *content = arena_alloc(f->arena, (size_t)archive_entry_size(entry) + 1);
		assert_int_equal(
			archive_read_data(archive, content, (size_t)archive_entry_size(entry)),
			archive_entry_size(entry));
		vec_push(f->arena, &entries,
			(struct entry){arena_strdup(f->arena, archive_entry_pathname(entry)),
				content, archive_entry_mode(entry), archive_entry_size(entry)});
	}
	assert_int_equal(archive_format(archive), ARCHIVE_FORMAT_CPIO_SVR4_NOCRC);
	archive_read_free(archive);
	return entries;
}

static const struct entry *find(const struct entries *entries, const char *name)
{
	for (size_t i = 0; i < entries->n; i++)
		if (strcmp(entries->v[i].name, name) == 0)
			return &entries->v[i];
	fail_msg("%s is missing", name);
	return NULL;
}

static void holds_what_the_guest_needs(void **state)
{
	struct fixture *f = *state;
	struct stage1_result result = build(f);
	struct stat st;
	assert_int_equal(stat(f->request.output, &st), 0);
	assert_int_equal(result.bytes, st.st_size);
	assert_int_equal(st.st_mode & 07777, 0644);

	static const char *const names[] = {"init", "dev", "proc", "sys", "mvm", "mvm/modules",
		"mvm/files", "mvm/programs", "mvm/root", "dev/console", "mvm/plan",
		"mvm/modules/000-virtio_ring.ko", "mvm/modules/001-virtio-rng.ko", "mvm/files/2",
		"mvm/programs/mvm-init"};
	struct entries entries = list(f);
	assert_int_equal(entries.n, countof(names));
	for (size_t i = 0; i < countof(names); i++)
		assert_string_equal(entries.v[i].name, names[i]);
	assert_int_equal(find(&entries, "init")->mode, S_IFREG | 0755);
	assert_true(find(&entries, "init")->size < 72 * 1024);
	assert_memory_equal(find(&entries, "init")->content, "\177ELF", 4);
	assert_int_equal(find(&entries, "dev/console")->mode, S_IFCHR | 0600);
	/* compressed modules are stored uncompressed */
	assert_string_equal(find(&entries, "mvm/modules/001-virtio-rng.ko")->content, "module two");
	assert_string_equal(find(&entries, "mvm/files/2")->content, "10");
	assert_int_equal(find(&entries, "mvm/programs/mvm-init")->mode, S_IFREG | 0755);
	assert_memory_equal(find(&entries, "mvm/programs/mvm-init")->content, "\177ELF", 4);
}

/*
 * Each guest gets a program for its own architecture: e_machine is bytes 18 and 19 of an ELF
 * header.
 */
static void the_program_is_of_the_guests_architecture(void **state)
{
	struct fixture *f = *state;
	assert_true(stage1_has_program(STAGE1_INIT, KERNEL_HOST_ARCH));
	assert_false(stage1_has_program("mvm", KERNEL_HOST_ARCH));
	static const unsigned char machines[] = {[KERNEL_X86_64] = 62, [KERNEL_AARCH64] = 183};
	for (enum kernel_arch arch = KERNEL_X86_64; arch <= KERNEL_AARCH64; arch++) {
		if (!stage1_has_program(STAGE1_INIT, arch)) {
			print_message("skipped: no compiler for %s\n", kernel_arch_name(arch));
			continue;
		}
		f->request.arch = arch;
		unlink(f->request.output);
		build(f);
		struct entries entries = list(f);
		assert_int_equal(
			(unsigned char)find(&entries, "init")->content[18], machines[arch]);
	}
}

/* The guest never frees its plan. */
static void plan_free(struct init_plan *plan)
{
	free(plan->modules);
	free(plan->steps);
	free(plan->words);
}

static void assert_same_mount(const struct stage1_mount *read, const struct stage1_mount *asked)
{
	assert_int_equal(read->is_disk, asked->is_disk);
	assert_string_equal(read->source, asked->source);
	assert_string_equal(read->target, asked->target);
	assert_string_equal(read->type, asked->type);
	assert_string_equal(read->options, asked->options);
	assert_int_equal(read->read_only, asked->read_only);
	assert_string_equal(read->identity, asked->identity ? asked->identity : "");
	assert_string_equal(read->image, asked->image ? asked->image : "");
}

static void assert_same_run(const struct stage1_run *read, const struct stage1_run *asked)
{
	size_t i = 0;
	assert_string_equal(read->file, asked->file);
	for (; asked->arguments[i]; i++)
		assert_string_equal(read->arguments[i], asked->arguments[i]);
	assert_null(read->arguments[i]);
}

static void assert_same_step(const struct stage1_step *read, const struct stage1_step *asked)
{
	assert_int_equal(read->kind, asked->kind);
	if (asked->kind == STAGE1_MOUNT)
		assert_same_mount(&read->mount, &asked->mount);
	if (asked->kind == STAGE1_VERITY) {
		assert_true(read->verity.is_disk);
		assert_string_equal(read->verity.source, asked->verity.source);
		assert_string_equal(read->verity.name, asked->verity.name);
		assert_int_equal(read->verity.blocks, asked->verity.blocks);
		assert_memory_equal(
			read->verity.root, asked->verity.root, sizeof read->verity.root);
	}
	if (asked->kind == STAGE1_GROW)
		assert_string_equal(read->grow.target, asked->grow.target);
	if (asked->kind == STAGE1_RUN)
		assert_same_run(&read->run, &asked->run);
	if (asked->kind == STAGE1_DIRECTORY) {
		assert_string_equal(read->directory.target, asked->directory.target);
		assert_int_equal(read->directory.mode, asked->directory.mode);
		assert_int_equal(read->directory.owner, asked->directory.owner);
		assert_int_equal(read->directory.group, asked->directory.group);
	}
	if (asked->kind == STAGE1_FILE) {
		assert_string_equal(read->file.file, asked->file.file);
		assert_string_equal(read->file.target, asked->file.target);
		assert_int_equal(read->file.mode, asked->file.mode);
	}
	if (asked->kind == STAGE1_LINK) {
		assert_string_equal(read->link.target, asked->link.target);
		assert_string_equal(read->link.path, asked->link.path);
	}
}

static void guest_reads_the_same_plan(void **state)
{
	struct fixture *f = *state;
	build(f);
	struct entries entries = list(f);
	char *text = arena_strdup(f->arena, find(&entries, "mvm/plan")->content);
	struct init_plan plan;
	assert_int_equal(plan_parse(text, &plan), 0);
	assert_string_equal(plan.init, f->request.init);
	assert_string_equal(plan.root_options, f->request.root_options);
	assert_true(plan.nixos);
	assert_int_equal(plan.nmodules, 2);
	assert_string_equal(plan.modules[1].file, "mvm/modules/001-virtio-rng.ko");
	assert_string_equal(plan.modules[1].name, "virtio_rng");
	assert_true(plan.modules[1].may_fail && !plan.modules[0].may_fail);
	assert_int_equal(plan.nsteps, countof(steps));
	for (size_t i = 0; i < countof(steps); i++)
		assert_same_step(&plan.steps[i], &steps[i]);
	plan_free(&plan);
}

static void wrong_plans_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned line;
	} cases[] = {
		{"mvm-plan 5\ninit /i\nroot -\n", 0},
		{"mvm-plan 5\ninit /i\nroot -", 0},
		{"", 1},
		{"mvm-plan 1\ninit /i\nroot -\n", 1},
		{"mvm-plan 5\n", 2},
		{"mvm-plan 5\ninit i\nroot -\n", 2},
		{"mvm-plan 5\ninit /i\nroot -\n\nnixos\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nswap on\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nnixos very\n", 4},
		{"mvm-plan 5\ninit /i\nroot  -\n", 3},
		{"mvm-plan 5\ninit /i\\04\nroot -\n", 2},
		{"mvm-plan 5\ninit /i\\\nroot -\n", 2},
		{"mvm-plan 5\ninit /i\nroot -\nmount disk a b c rw - - -\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nmount disk a /b c rw - - - - - -\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nmount name /dev/vdb /b c rw - uuid:x i\n", 0},
		{"mvm-plan 5\ninit /i\nroot -\nmount name /dev/vdb /b c rw - x i\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nverity disk s store 7 " ROOT "\n", 0},
		{"mvm-plan 5\ninit /i\nroot -\nverity disk s store 0 " ROOT "\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nverity disk s store -1 " ROOT "\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nverity disk s store 99999999999999999999 " ROOT "\n",
			4},
		{"mvm-plan 5\ninit /i\nroot -\nverity disk s store 7 " ROOT "0\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nverity disk s store 7 G" ROOT "\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nverity disk s ../store 7 " ROOT "\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nverity share s store 7 " ROOT "\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\ngrow /b\n", 0},
		{"mvm-plan 5\ninit /i\nroot -\ngrow b\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nfile a /b 08\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nfile a /b -1\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nlink /a b\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\ndirectory /a 755 0 0\n", 0},
		{"mvm-plan 5\ninit /i\nroot -\ndirectory a 755 0 0\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\ndirectory /a 755 0 root\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nrun f name a b c d e f g h\n", 0},
		{"mvm-plan 5\ninit /i\nroot -\nrun f\n", 4},
		{"mvm-plan 5\ninit /i\nroot -\nrun - name\n", 4},
	};
	for (size_t i = 0; i < countof(cases); i++) {
		char *text = strdup(cases[i].text);
		struct init_plan plan;
		if (plan_parse(text, &plan) != cases[i].line)
			fail_msg("line %u of \"%s\" should be wrong", cases[i].line, cases[i].text);
		plan_free(&plan);
		free(text);
	}
}

/* Ends the line with two 0 bytes, like the guest's file_text. */
static struct parameters parse(char line[512], const char *text)
{
	memset(line, 0xff, 512);
	strcpy(line, text);
	line[strlen(text) + 1] = '\0';
	struct parameters parameters;
	parameters_parse(line, &parameters);
	return parameters;
}

static void kernel_parameters_are_obeyed(void **state)
{
	(void)state;
	char line[512];
	struct parameters p = parse(line, "");
	assert_null(p.init);
	assert_false(p.debug || p.verity_panics);
	assert_int_equal(p.end, END_PANIC);
	assert_int_equal(p.wait_ms, 10000);
	p = parse(line,
		"quiet  init=/nix/store/x/init console=ttyS0 console=hvc0 mvm.debug=1 mvm.wait=3 "
		"mvm.fail=poweroff mvm.shell=/bin/sh mvm.verity=panic\n");
	assert_true(p.verity_panics);
	assert_string_equal(p.init, "/nix/store/x/init");
	assert_string_equal(p.console, "hvc0");
	assert_string_equal(p.shell, "/bin/sh");
	assert_true(p.debug);
	assert_int_equal(p.end, END_POWER_OFF);
	assert_int_equal(p.wait_ms, 3000);
	/*
	 * Values may be quoted; the last value counts; parameters after "--" are init's; names
	 * match as a whole.
	 */
	p = parse(line, "init=/a init=\"/b c\" rdinit=/d xinit=/e -- init=/f");
	assert_string_equal(p.init, "/b c");
	p = parse(line, "init=/a --");
	assert_string_equal(p.init, "/a");
	p = parse(line, "mvm.wait=99999999999999999999 mvm.shell=1 mvm.fail=reboot mvm.verity=yes");
	assert_false(p.verity_panics);
	assert_int_equal(p.wait_ms, 24 * 3600 * 1000);
	assert_null(p.shell);
	assert_int_equal(p.end, END_REBOOT);
}

static void modules_get_their_parameters(void **state)
{
	(void)state;
	static const struct {
		const char *module, *options;
	} cases[] = {
		{"virtio_blk", "poll_queues=2 num_request_queues=1"},
		{"nvme", "name=\"a b\""},
		{"virtio", ""},
		{"blk", ""},
		{"quiet", ""},
	};
	char line[512];
	struct parameters p = parse(line,
		"quiet virtio_blk.poll_queues=2 virtio-blk.num_request_queues=1 nvme.name=\"a "
		"b\"\n");
	for (size_t i = 0; i < countof(cases); i++) {
		char *options = parameters_of_module(&p, cases[i].module);
		assert_string_equal(options, cases[i].options);
		free(options);
	}
}

static void the_archive_is_reproducible(void **state)
{
	struct fixture *f = *state;
	build(f);
	const char *first = f->request.output;
	sleep(1); /* gzip's time stamp has a resolution of one second */
	f->request.output = scratch_path(f, "again");
	shell(f, "touch schema", NULL, NULL);
	build(f);
	assert_same_contents(f, first, f->request.output);
}

static void cpio_reads_the_archive(void **state)
{
	struct fixture *f = *state;
	build(f);
	const char *script =
		"if cpio --version >/dev/null 2>&1; then cpio=cpio; elif busybox cpio --help "
		"2>/dev/null; then cpio='busybox cpio';\n"
		"else exit 77; fi; gzip -dc initrd | $cpio -t 2>/dev/null | grep -qx mvm/plan";
	struct process_result result = shell_try(f, script, NULL, NULL);
	if (result.exit_status == 77) {
		print_message("skipped: neither cpio nor busybox\n");
		skip();
	}
	assert_int_equal(result.exit_status, 0);
}

static void failures_leave_nothing(void **state)
{
	struct fixture *f = *state;
	f->modules.v[1].path = "/nonexistent/virtio_rng.ko";
	struct stage1_result result;
	assert_false(stage1_write(f->arena, f->diag, &f->request, &result));
	assert_non_null(
		strstr(messages(f), "/nonexistent/virtio_rng.ko: No such file or directory"));
	assert_false(path_exists(f->request.output));

	f->request.output = "/dev/full/initrd";
	assert_false(stage1_write(f->arena, f->diag, &f->request, &result));
	assert_non_null(strstr(messages(f), "cannot create /dev/full/initrd"));
}

static void an_existing_file_is_not_touched(void **state)
{
	struct fixture *f = *state;
	scratch_file(f, "initrd", "mine");
	struct stage1_result result;
	assert_false(stage1_write(f->arena, f->diag, &f->request, &result));
	assert_true(path_exists(f->request.output));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			holds_what_the_guest_needs, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			the_program_is_of_the_guests_architecture, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(guest_reads_the_same_plan, setup, fixture_teardown),
		cmocka_unit_test(wrong_plans_are_refused),
		cmocka_unit_test(kernel_parameters_are_obeyed),
		cmocka_unit_test(modules_get_their_parameters),
		cmocka_unit_test_setup_teardown(
			the_archive_is_reproducible, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(cpio_reads_the_archive, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(failures_leave_nothing, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			an_existing_file_is_not_touched, setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
