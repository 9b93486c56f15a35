/* SPDX-License-Identifier: MIT */
#include "compiler/session/depfile.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"

enum { MOST_LINKS = 40 /* as Linux follows in one path */, RULE_BYTES = 16 << 20 };

/* ---- links ---- */

static bool is_inside(const char *path, const char *directory)
{
	const size_t length = strlen(directory);
	return strncmp(path, directory, length) == 0 &&
		(path[length] == '/' || path[length] == '\0');
}

static void add_once(struct arena *arena, struct strings *strings, const char *text)
{
	for (size_t i = 0; i < strings->n; i++)
		if (strcmp(strings->v[i], text) == 0)
			return;
	vec_push(arena, strings, text);
}

/* Returns the text of a link; NULL if `path` is not one. */
static const char *link_text(struct arena *arena, const char *path)
{
	char text[4096];
	const ssize_t length = readlink(path, text, sizeof text);
	return length > 0 ? arena_strndup(arena, text, (size_t)length) : NULL;
}

/*
 * Adds the directories of all links on the way to `path`, but not those in the store (NULL: none),
 * which never change. Returns whether there is any link.
 */
static bool add_link_directories(
	struct arena *arena, struct inputs *inputs, const char *path, const char *store_dir)
{
	const char *done = "", *rest = path_absolute(arena, path);
	int links = 0;
	while (*(rest += strspn(rest, "/")) && links < MOST_LINKS) {
		const size_t length = strcspn(rest, "/");
		const char *name = arena_strndup(arena, rest, length), *target;
		rest += length;
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			done = *done ? arena_strndup(arena, done, path_parent_length(done)) : done;
			continue;
		}
		const char *next =
			arena_printf(arena, "%s/%s", strcmp(done, "/") ? done : "", name);
		if (!(target = link_text(arena, next))) {
			done = next;
			continue;
		}
		if (!store_dir || !is_inside(done, store_dir))
			add_once(arena, &inputs->directories, *done ? done : "/");
		rest = arena_printf(arena, "%s%s", target, rest);
		done = *target == '/' ? "" : done;
		links++;
	}
	return links > 0;
}

/* Whether the name of a file, or of links (kind 'l'), was not added before. */
static bool is_new(struct arena *arena, struct inputs *inputs, char kind, const char *name)
{
	const char *key = arena_printf(arena, "%c%s", kind, name);
	if (string_map_find(&inputs->known, key) != SIZE_MAX)
		return false;
	string_map_set(arena, &inputs->known, key, 0);
	return true;
}

static void add_named(
	struct arena *arena, struct inputs *inputs, const char *path, const char *store_dir)
{
	if (!is_new(arena, inputs, 'l', path) ||
		!add_link_directories(arena, inputs, path, store_dir))
		return;
	const char *target = path_real(arena, path);
	vec_push(arena, &inputs->links, arena_strdup(arena, path));
	vec_push(arena, &inputs->targets, target ? target : "");
}

/* ---- the inputs ---- */

void inputs_begin(struct inputs *inputs)
{
	*inputs = (struct inputs){0};
	clock_gettime(CLOCK_REALTIME, &inputs->read);
}

static void add_file(struct arena *arena, struct inputs *inputs, const char *path)
{
	if (path && is_new(arena, inputs, 'f', path))
		vec_push(arena, &inputs->files, arena_strdup(arena, path));
}

static void add_description(
	struct arena *arena, struct inputs *inputs, const char *path, const char *store_dir)
{
	if (strcmp(path, "-") == 0)
		return;
	add_file(arena, inputs, path);
	add_named(arena, inputs, path, store_dir);
}

void inputs_add(struct arena *arena, struct inputs *inputs, const char *path)
{
	add_description(arena, inputs, path, NULL);
}

void inputs_collect(struct arena *arena, const struct strings *descriptions,
	const struct plan *plan, struct inputs *inputs)
{
	const struct vm *vm = plan->vm;
	for (size_t i = 0; i < descriptions->n; i++)
		add_description(arena, inputs, descriptions->v[i], vm->store_dir);
	add_file(arena, inputs, vm->closure);
	add_file(arena, inputs, plan->system.rootfs ? plan->system.rootfs : plan->system.toplevel);
	add_file(arena, inputs, plan->system.kernel.path);
	add_file(arena, inputs, plan->system.initrd);
	for (size_t i = 0; i < plan->modules.n; i++)
		add_file(arena, inputs, plan->modules.v[i].path);
	for (size_t i = 0; i < vm->named_paths.n; i++)
		add_named(arena, inputs, vm->named_paths.v[i], vm->store_dir);
}

/* ---- the rule ---- */

/* Quotes a name as gcc -MD does, and as make and ninja expect it. */
static void put_name(struct buf *out, const char *name)
{
	for (; *name; name++) {
		if (strchr(" #\\", *name))
			buf_puts(out, "\\");
		if (*name == '$')
			buf_puts(out, "$");
		buf_add(out, name, 1);
	}
}

static void put_inputs(struct buf *out, const struct strings *names)
{
	for (size_t i = 0; i < names->n; i++) {
		buf_puts(out, " \\\n  ");
		put_name(out, names->v[i]);
	}
}

/* Rules without inputs, like those of gcc -MP: with them, make accepts that a file was removed. */
static void put_removable(struct buf *out, const struct strings *names)
{
	for (size_t i = 0; i < names->n; i++) {
		put_name(out, names->v[i]);
		buf_puts(out, ":\n");
	}
}

static bool is_written(struct arena *arena, const char *path, const struct buf *rule)
{
	struct bytes old;
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size == rule->n &&
		file_read(arena, diag_new(arena), path, RULE_BYTES, &old) && old.n == rule->n &&
		memcmp(old.p, buf_text(rule), rule->n) == 0;
}

/* The end of the first line that depfile_write writes. A file of another kind hardly has it. */
static bool is_rule(const char *first_line)
{
	static const char end[] = ": \\";
	const size_t length = strlen(first_line), last = strlen(end);
	return length >= last && strcmp(first_line + length - last, end) == 0;
}

/* The path with the links in its existing part resolved. */
static const char *real_path(struct arena *arena, const char *path)
{
	const char *absolute = path_absolute(arena, path), *real = path_real(arena, absolute);
	if (real || strcmp(absolute, "/") == 0)
		return real ? real : absolute;
	return path_join(
		arena, real_path(arena, path_parent(arena, absolute)), path_base(absolute));
}

bool depfile_check(struct arena *arena, struct diag *diag, const char *path, const char *output)
{
	const char *whole = real_path(arena, output), *file = real_path(arena, path);
	const size_t length = strlen(whole);
	return strncmp(file, whole, length) != 0 || (file[length] && file[length] != '/') ||
		diag_error(diag, STATUS_USAGE, NULL, "usage",
			"--depfile: %s is in the output, which is replaced as a whole; name a file "
			"outside of %s",
			path, output);
}

/* A rule that has not changed is not replaced, which would change its directory. */
bool depfile_write(struct arena *arena, struct diag *diag, const char *path, const char *output,
	const struct inputs *inputs)
{
	BUF_CLEANUP struct buf rule = {0};
	put_name(&rule, output);
	buf_puts(&rule, ":");
	put_inputs(&rule, &inputs->files);
	put_inputs(&rule, &inputs->directories);
	buf_puts(&rule, "\n");
	put_removable(&rule, &inputs->files);
	put_removable(&rule, &inputs->directories);
	if (is_written(arena, path, &rule))
		return true;
	return file_spare(diag, "--depfile", path, is_rule) &&
		file_rewrite(arena, diag, path, buf_text(&rule), rule.n, 0644);
}

/* ---- the time of the output ---- */

static struct timespec later(struct timespec a, struct timespec b)
{
	const bool first = a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
	return first ? a : b;
}

static bool is_later(struct timespec a, struct timespec b)
{
	const struct timespec newest = later(b, a);
	return newest.tv_sec != b.tv_sec || newest.tv_nsec != b.tv_nsec;
}

/* For a link, this is the later of its own time and its target's: `make -L` looks at both. */
static struct timespec newest_of(const struct strings *paths)
{
	struct timespec newest = {0};
	struct stat st;
	for (size_t i = 0; i < paths->n; i++) {
		if (stat(paths->v[i], &st) == 0)
			newest = later(newest, st.st_mtim);
		if (lstat(paths->v[i], &st) == 0)
			newest = later(newest, st.st_mtim);
	}
	return newest;
}

static bool links_lead_elsewhere(struct arena *arena, const struct inputs *inputs)
{
	for (size_t i = 0; i < inputs->links.n; i++) {
		const char *target = path_real(arena, inputs->links.v[i]);
		if (strcmp(target ? target : "", inputs->targets.v[i]) != 0)
			return true;
	}
	return false;
}

void inputs_settle(struct arena *arena, const struct inputs *inputs, const char *output)
{
	/* The directories first: a link that changes after this look makes its directory newer. */
	const struct timespec directories = newest_of(&inputs->directories),
			      files = newest_of(&inputs->files);
	struct timespec wanted = inputs->read;
	struct stat st;
	if (stat(output, &st) != 0)
		return;
	if (!is_later(files, inputs->read) && !links_lead_elsewhere(arena, inputs)) {
		if (!is_later(later(files, directories), st.st_mtim))
			return;
		wanted = later(inputs->read, directories);
	}
	const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, wanted};
	/* Someone else's output cannot be changed, and make will look at it again. */
	utimensat(AT_FDCWD, output, times, 0);
}
