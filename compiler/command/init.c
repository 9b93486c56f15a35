/* SPDX-License-Identifier: MIT */
#include "compiler/command/init.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/interrupts.h"
#include "base/shape.h"
#include "templates/embedded.h"

#define PREFIX "starter/"
#define NAME_HOLE "@name@"
#define DEFAULT_NAME "vm1"

/* The file's name inside the template; NULL if it belongs to another one. */
static const char *name_in(const struct embedded_file *file, const char *template)
{
	size_t length = strlen(template);
	const char *name = file->name + strlen(PREFIX);
	bool ours = strncmp(file->name, PREFIX, strlen(PREFIX)) == 0 &&
		strncmp(name, template, length) == 0 && name[length] == '/';
	return ours ? name + length + 1 : NULL;
}

/* "hello, vm" */
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

static void fill(struct buf *out, const struct embedded_file *file, const char *name)
{
	for (const char *at = file->begin; at < file->end;) {
		const char *hole =
			memmem(at, (size_t)(file->end - at), NAME_HOLE, strlen(NAME_HOLE));
		buf_add(out, at, (size_t)((hole ? hole : file->end) - at));
		if (hole)
			buf_puts(out, name);
		at = hole ? hole + strlen(NAME_HOLE) : file->end;
	}
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
	const char *directory, const char *name, struct strings *written)
{
	for (const struct embedded_file *file = embedded_files; file->name; file++) {
		if (!name_in(file, template))
			continue;
		BUF_CLEANUP struct buf text = {0};
		const char *path = path_join(arena, directory, name_in(file, template));
		fill(&text, file, name);
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
	if (write_files(
		    arena, diag, template, directory, is_name(name) ? name : DEFAULT_NAME, written))
		return true;
	for (size_t i = 0; i < written->n; i++)
		unlink(written->v[i]);
	if (made)
		rmdir(directory);
	return false;
}
