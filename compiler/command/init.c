/* SPDX-License-Identifier: MIT */
#include "compiler/command/init.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/interrupts.h"
#include "base/shape.h"
#include "compiler/command/host_kernel.h"
#include "compiler/command/schema.h"
#include "compiler/plan/report.h"
#include "templates/embedded.h"

#define PREFIX "starter/"
#define DEFAULT_NAME "vm1"

/* The texts that replace @name@, @kernel@ and @schema@ in a template. */
struct holes {
	const char *name, *kernel, *schema;
};

/* The file's name inside the template; NULL if it belongs to another one. */
static const char *name_in(const struct embedded_file *file, const char *template)
{
	size_t length = strlen(template);
	const char *name = file->name + strlen(PREFIX);
	bool ours = strncmp(file->name, PREFIX, strlen(PREFIX)) == 0 &&
		strncmp(name, template, length) == 0 && name[length] == '/';
	return ours ? name + length + 1 : NULL;
}

/* "hello, nixos, vm" */
static const char *template_names(struct arena *arena)
{
	const char *list = "", *last = "";
	for (const struct embedded_file *file = embedded_files; file->name; file++) {
		if (strncmp(file->name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		const char *name = file->name + strlen(PREFIX);
		name = arena_strndup(arena, name, strcspn(name, "/"));
		if (strcmp(name, last) != 0)
			list = arena_printf(arena, "%s%s%s", list, *list ? ", " : "", name);
		last = name;
	}
	return list;
}

/* The line that names the guest's kernel, with a comment if the user has to do something first. */
static const char *kernel_lines(struct arena *arena)
{
	struct utsname machine;
	const char *release = uname(&machine) == 0 ? machine.release : "";
	const struct host_kernel found = host_kernel_find(arena, "/", release);
	if (found.path)
		return arena_printf(arena, "kernel: %s", found.path);
	if (found.unreadable)
		return arena_printf(arena,
			"# Only root can read this kernel; to change that: sudo chmod a+r %s\n"
			"kernel: %s",
			found.unreadable, found.unreadable);
	return "# This machine has no kernel with modules in /boot or /lib/modules. Install one "
	       "(Debian:\n# linux-image-amd64, Ubuntu: linux-image-generic), and give its path.\n"
	       "kernel: /boot/vmlinuz-VERSION";
}

static const char *schema_text(struct arena *arena)
{
	struct json_object *schema = schema_vm(arena);
	const char *text = report_text(arena, schema);
	json_object_put(schema);
	return text;
}

/* Adds the text that replaces the hole at `at`, and returns where the text after it begins. */
static const char *fill_hole(
	struct buf *out, const char *at, const char *end, const struct holes *holes)
{
	const struct {
		const char *hole, *text;
	} table[] = {
		{"@name@", holes->name}, {"@kernel@", holes->kernel}, {"@schema@", holes->schema}};
	for (size_t i = 0; i < countof(table); i++) {
		const size_t length = strlen(table[i].hole);
		if ((size_t)(end - at) < length || memcmp(at, table[i].hole, length) != 0)
			continue;
		buf_puts(out, table[i].text);
		return at + length;
	}
	buf_add(out, at, 1);
	return at + 1;
}

static void fill(struct buf *out, const struct embedded_file *file, const struct holes *holes)
{
	for (const char *at = file->begin; at < file->end;)
		at = fill_hole(out, at, file->end, holes);
}

static bool check_free(
	struct arena *arena, struct diag *diag, const char *template, const char *directory)
{
	bool found = false, ok = true;
	for (const struct embedded_file *file = embedded_files; file->name; file++) {
		const char *name = name_in(file, template);
		found |= name != NULL;
		if (name && path_exists(path_join(arena, directory, name)))
			ok = diag_error(diag, STATUS_FAILED, NULL, "output-exists",
				"%s already exists and was left alone",
				path_join(arena, directory, name));
	}
	return found ? ok
		     : diag_error(diag, STATUS_USAGE, NULL, "usage",
			       "there is no template \"%s\"; use one of %s", template,
			       template_names(arena));
}

/* A signal to stop removes the file again, until all of them are written. */
static bool write_one(
	struct arena *arena, struct diag *diag, const char *path, const struct buf *text)
{
	interrupts_hold();
	const bool ok = file_write(diag, path, buf_text(text), text->n, 0644);
	if (ok)
		interrupts_remove(path_absolute(arena, path));
	interrupts_go_on();
	return ok;
}

static void keep_all(struct arena *arena, const struct strings *written)
{
	interrupts_hold();
	for (size_t i = 0; i < written->n; i++)
		interrupts_keep(path_absolute(arena, written->v[i]));
	interrupts_report("all files are there");
	interrupts_go_on();
}

static bool write_files(struct arena *arena, struct diag *diag, const char *template,
	const char *directory, const struct holes *holes, struct strings *written)
{
	for (const struct embedded_file *file = embedded_files; file->name; file++) {
		if (!name_in(file, template))
			continue;
		BUF_CLEANUP struct buf text = {0};
		const char *path = path_join(arena, directory, name_in(file, template));
		fill(&text, file, holes);
		if (!write_one(arena, diag, path, &text))
			return false;
		vec_push(arena, written, path);
	}
	keep_all(arena, written);
	return true;
}

bool init_write(struct arena *arena, struct diag *diag, const char *template, const char *directory,
	struct strings *written)
{
	const char *name = path_base(path_absolute(arena, directory));
	if (!check_free(arena, diag, template, directory))
		return false;
	bool made = !path_is_directory(directory);
	if (made && !directory_make(diag, directory, 0755))
		return false;
	const struct holes holes = {
		is_name(name) ? name : DEFAULT_NAME, kernel_lines(arena), schema_text(arena)};
	if (write_files(arena, diag, template, directory, &holes, written))
		return true;
	for (size_t i = 0; i < written->n; i++)
		unlink(written->v[i]);
	if (made)
		rmdir(directory);
	return false;
}
