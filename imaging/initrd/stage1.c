/* SPDX-License-Identifier: MIT */
#include "imaging/initrd/stage1.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "imaging/guest/init/plan.h"
#include "imaging/initrd/initramfs.h"
#include "templates/embedded.h"

/* Module 12 is mvm/modules/012-virtio_blk.ko: the number shows the order and makes names unique. */
static const char *module_path(
	struct arena *arena, const struct stage1_request *request, size_t index)
{
	return arena_printf(arena, "mvm/modules/%03zu-%s", index, request->modules->v[index].name);
}

/* Returns the kernel's name of a module: "virtio_rng" for "virtio-rng.ko". */
static const char *module_name(struct arena *arena, const char *file)
{
	const char *suffix = strstr(file, ".ko");
	char *name = arena_strndup(arena, file, suffix ? (size_t)(suffix - file) : strlen(file));
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

/* ---- plan, in the format of imaging/guest/init/plan.h ---- */

static void add_field(struct buf *plan, const char *text)
{
	buf_puts(plan, " ");
	if (*text == '\0') {
		buf_puts(plan, "-");
		return;
	}
	bool is_dash = strcmp(text, "-") == 0;
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		buf_printf(
			plan, c <= ' ' || c == 0x7f || c == '\\' || is_dash ? "\\%03o" : "%c", c);
	}
}

static void add_line(struct buf *plan, const char *keyword, const char *const *fields, size_t count)
{
	buf_puts(plan, keyword);
	for (size_t i = 0; i < count; i++)
		add_field(plan, fields[i]);
	buf_puts(plan, "\n");
}
#define LINE(plan, keyword, ...) \
	add_line((plan), (keyword), (const char *const[]){__VA_ARGS__}, \
		countof(((const char *const[]){__VA_ARGS__})))

static const char *octal(struct arena *arena, unsigned mode)
{
	return arena_printf(arena, "%o", mode & 07777);
}

static const char *source_word(bool is_disk)
{
	return is_disk ? "disk" : "name";
}

static void verity_write(struct arena *arena, const struct stage1_verity *verity, struct buf *plan)
{
	LINE(plan, "verity", source_word(verity->is_disk), verity->source, verity->name,
		arena_printf(arena, "%llu", (unsigned long long)verity->blocks),
		arena_hex(arena, verity->root, sizeof verity->root));
}

static void mount_write(const struct stage1_mount *mount, struct buf *plan)
{
	LINE(plan, "mount", source_word(mount->is_disk), mount->source, mount->target, mount->type,
		mount->read_only ? "ro" : "rw", mount->options,
		mount->identity ? mount->identity : "", mount->image ? mount->image : "");
}

static void directory_write(
	struct arena *arena, const struct stage1_directory *directory, struct buf *plan)
{
	LINE(plan, "directory", directory->target, octal(arena, directory->mode),
		arena_printf(arena, "%u", directory->owner),
		arena_printf(arena, "%u", directory->group));
}

static void run_write(struct arena *arena, const struct stage1_run *run, struct buf *plan)
{
	struct strings fields = {0};
	vec_push(arena, &fields, run->file);
	for (const char *const *argument = run->arguments; *argument; argument++)
		vec_push(arena, &fields, *argument);
	add_line(plan, "run", fields.v, fields.n);
}

static void step_write(struct arena *arena, const struct stage1_step *step, struct buf *plan)
{
	switch (step->kind) {
	case STAGE1_VERITY:
		verity_write(arena, &step->verity, plan);
		break;
	case STAGE1_MOUNT:
		mount_write(&step->mount, plan);
		break;
	case STAGE1_GROW:
		LINE(plan, "grow", step->grow.target);
		break;
	case STAGE1_DIRECTORY:
		directory_write(arena, &step->directory, plan);
		break;
	case STAGE1_FILE:
		LINE(plan, "file", step->file.file, step->file.target,
			octal(arena, step->file.mode));
		break;
	case STAGE1_LINK:
		LINE(plan, "link", step->link.path, step->link.target);
		break;
	case STAGE1_RUN:
		run_write(arena, &step->run, plan);
		break;
	}
}

static void plan_write(struct arena *arena, const struct stage1_request *request, struct buf *plan)
{
	buf_puts(plan, PLAN_VERSION "\n");
	LINE(plan, "init", request->init);
	LINE(plan, "root", request->root_options);
	if (request->nixos)
		add_line(plan, "nixos", NULL, 0);
	for (size_t i = 0; i < request->modules->n; i++) {
		const struct module_file *module = &request->modules->v[i];
		LINE(plan, "module", module_path(arena, request, i),
			module_name(arena, module->name), module->may_fail ? "may-fail" : "needed");
	}
	for (size_t i = 0; i < request->steps.n; i++)
		step_write(arena, &request->steps.v[i], plan);
}

/* ---- the initramfs ---- */

/*
 * Embedded programs are named "NAME" for the host's architecture and "NAME-ARCH" for others, which
 * are included if there was a compiler for them.
 */
static bool is_program(const char *file, const char *name, enum kernel_arch arch)
{
	size_t length = strlen(name);
	if (strncmp(file, name, length) != 0)
		return false;
	if (arch == KERNEL_HOST_ARCH)
		return file[length] == '\0';
	return file[length] == '-' && strcmp(file + length + 1, kernel_arch_name(arch)) == 0;
}

const struct embedded_file *program_embedded(const char *name, enum kernel_arch arch)
{
	for (const struct embedded_file *file = embedded_files; file->name; file++)
		if (is_program(file->name, name, arch))
			return file;
	return NULL;
}

bool stage1_has_program(const char *name, enum kernel_arch arch)
{
	return program_embedded(name, arch) != NULL;
}

static bool add_program(
	struct initramfs *initramfs, const char *path, const char *name, enum kernel_arch arch)
{
	const struct embedded_file *program = program_embedded(name, arch);
	assert(program);
	return initramfs_add_bytes(
		initramfs, path, 0755, program->begin, (size_t)(program->end - program->begin));
}

static bool add_base(struct initramfs *initramfs, const struct buf *plan, enum kernel_arch arch)
{
	static const char *const directories[] = {"dev", "proc", "sys", "mvm", "mvm/modules",
		"mvm/files", "mvm/programs", "mvm/root"};
	bool ok = add_program(initramfs, "init", STAGE1_INIT, arch);
	for (size_t i = 0; ok && i < countof(directories); i++)
		ok = initramfs_add_directory(initramfs, directories[i], 0755);
	/* The kernel opens it for /init before anything is mounted. */
	return ok && initramfs_add_character_device(initramfs, "dev/console", 0600, 5, 1) &&
		initramfs_add_bytes(initramfs, PLAN_FILE, 0644, plan->p, plan->n);
}

/* Whether an earlier step runs the same program. */
static bool is_added(const struct stage1_steps *steps, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (steps->v[i].kind == STAGE1_RUN &&
			strcmp(steps->v[i].run.file, steps->v[index].run.file) == 0)
			return true;
	return false;
}

static const char *content_of(const struct stage1_contents *contents, const char *file)
{
	for (size_t i = 0; i < contents->n; i++)
		if (strcmp(contents->v[i].file, file) == 0)
			return contents->v[i].source;
	return NULL;
}

/* Adds the files that a step needs in the initramfs. */
static bool add_step(
	struct initramfs *initramfs, const struct stage1_request *request, size_t index)
{
	const struct stage1_step *step = &request->steps.v[index];
	if (step->kind == STAGE1_FILE) {
		const char *source = content_of(&request->contents, step->file.file);
		assert(source);
		return initramfs_add_file(initramfs, step->file.file, 0644, source, false);
	}
	if (step->kind == STAGE1_RUN && !is_added(&request->steps, index))
		return add_program(initramfs, step->run.file,
			step->run.file + strlen(STAGE1_PROGRAMS), request->arch);
	return true;
}

static bool add_all(
	struct arena *arena, struct initramfs *initramfs, const struct stage1_request *request)
{
	BUF_CLEANUP struct buf plan = {0};
	plan_write(arena, request, &plan);
	bool ok = add_base(initramfs, &plan, request->arch);
	for (size_t i = 0; ok && i < request->modules->n; i++)
		ok = initramfs_add_file(initramfs, module_path(arena, request, i), 0644,
			request->modules->v[i].path, true);
	for (size_t i = 0; ok && i < request->steps.n; i++)
		ok = add_step(initramfs, request, i);
	return ok;
}

bool stage1_write(struct arena *arena, struct diag *diag, const struct stage1_request *request,
	struct stage1_result *result)
{
	struct initramfs *initramfs =
		initramfs_create(arena, diag, request->output, request->time, request->memo);
	if (!initramfs)
		return false;
	if (add_all(arena, initramfs, request))
		return initramfs_finish(initramfs, &result->bytes);
	initramfs_abandon(initramfs);
	return false;
}
