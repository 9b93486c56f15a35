/* SPDX-License-Identifier: MIT */
#include "imaging/stage1.h"

#include <assert.h>
#include <string.h>

#include "compiler/base/buf.h"
#include "compiler/base/file.h"
#include "imaging/initramfs.h"
#include "imaging/stage1/plan.h"
#include "templates/embedded.h"

/* Module 12 is mvm/modules/012-virtio_blk.ko: the order is visible, names are unique. */
static const char *module_path(struct arena *arena, const struct stage1_request *request, size_t index)
{
	return arena_printf(arena, "mvm/modules/%03zu-%s", index, request->modules->v[index].name);
}

static const char *file_path(struct arena *arena, size_t index)
{
	return arena_printf(arena, "mvm/files/%zu", index);
}

/* The kernel's name of a module: "virtio_rng" for "virtio-rng.ko". */
static const char *module_name(struct arena *arena, const char *file)
{
	const char *suffix = strstr(file, ".ko");
	char *name = arena_strndup(arena, file, suffix ? (size_t)(suffix - file) : strlen(file));
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	return name;
}

/* ---- the plan: its format is described in stage1/plan.h ---- */

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
		buf_printf(plan, c <= ' ' || c == 0x7f || c == '\\' || is_dash ? "\\%03o" : "%c", c);
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
	add_line((plan), (keyword), (const char *const[]){__VA_ARGS__}, countof(((const char *const[]){__VA_ARGS__})))

static void plan_write(struct arena *arena, const struct stage1_request *request, struct buf *plan)
{
	buf_puts(plan, PLAN_VERSION "\n");
	LINE(plan, "init", request->init);
	LINE(plan, "root", request->root_options);
	if (request->nixos)
		add_line(plan, "nixos", NULL, 0);
	for (size_t i = 0; i < request->modules->n; i++) {
		const struct module_file *module = &request->modules->v[i];
		LINE(plan, "module", module_path(arena, request, i), module_name(arena, module->name), module->may_fail ? "may-fail" : "needed");
	}
	for (size_t i = 0; i < request->nmounts; i++) {
		const struct stage1_mount *mount = &request->mounts[i];
		LINE(plan, "mount", mount->source_kind == STAGE1_DISK_SERIAL ? "disk" : "name", mount->source, mount->target, mount->type,
		     mount->read_only ? "ro" : "rw", mount->options);
	}
	for (size_t i = 0; i < request->nfiles; i++) {
		const struct stage1_file *file = &request->files[i];
		LINE(plan, "file", file_path(arena, i), file->target, arena_printf(arena, "%o", (unsigned)file->mode & 07777));
	}
	for (size_t i = 0; i < request->nlinks; i++)
		LINE(plan, "link", request->links[i].path, request->links[i].target);
}

/* ---- the initramfs ---- */

/* mvm-init, carried inside this program: the host's architecture has it always, others where there was a compiler for them. */
static const struct embedded_file *guest_program(enum kernel_arch arch)
{
	static const char *const names[] = {[KERNEL_X86_64] = "mvm-init-x86_64", [KERNEL_AARCH64] = "mvm-init-aarch64"};
	const char *name = arch == KERNEL_HOST_ARCH ? "mvm-init" : names[arch];
	for (const struct embedded_file *file = embedded_files; file->name; file++)
		if (strcmp(file->name, name) == 0)
			return file;
	return NULL;
}

bool stage1_has_program(enum kernel_arch arch)
{
	return guest_program(arch) != NULL;
}

static bool add_base(struct initramfs *initramfs, const struct buf *plan, enum kernel_arch arch)
{
	static const char *const directories[] = {"dev", "proc", "sys", "mvm", "mvm/modules", "mvm/files", "mvm/root"};
	const struct embedded_file *init = guest_program(arch);
	assert(init);
	bool ok = initramfs_add_bytes(initramfs, "init", 0755, init->begin, (size_t)(init->end - init->begin));
	for (size_t i = 0; ok && i < countof(directories); i++)
		ok = initramfs_add_directory(initramfs, directories[i], 0755);
	/* The kernel opens it for /init before anything is mounted. */
	return ok && initramfs_add_character_device(initramfs, "dev/console", 0600, 5, 1) &&
	       initramfs_add_bytes(initramfs, PLAN_FILE, 0644, plan->p, plan->n);
}

static bool add_all(struct arena *arena, struct initramfs *initramfs, const struct stage1_request *request)
{
	BUF_CLEANUP struct buf plan = {0};
	plan_write(arena, request, &plan);
	bool ok = add_base(initramfs, &plan, request->arch);
	for (size_t i = 0; ok && i < request->modules->n; i++)
		ok = initramfs_add_file(initramfs, module_path(arena, request, i), 0644, request->modules->v[i].path, true);
	for (size_t i = 0; ok && i < request->nfiles; i++)
		ok = initramfs_add_file(initramfs, file_path(arena, i), 0644, request->files[i].source, false);
	return ok;
}

bool stage1_write(struct arena *arena, struct diag *diag, const struct stage1_request *request, struct stage1_result *result)
{
	struct initramfs *initramfs = initramfs_create(arena, diag, request->output, request->time);
	if (!initramfs)
		return false;
	if (add_all(arena, initramfs, request))
		return initramfs_finish(initramfs, &result->bytes);
	initramfs_abandon(initramfs);
	return false;
}
