/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <libkmod.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/base/file.h"
#include "imaging/module_tree.h"
#include "imaging/unpack.h"

const char *module_name_normalize(struct arena *arena, const char *name, size_t length)
{
	char *copy = arena_strndup(arena, name, length);
	bool in_brackets = false;
	for (char *c = copy; *c; c++) {
		if (*c == '[' || *c == ']')
			in_brackets = *c == '[';
		else if (*c == '-' && !in_brackets)
			*c = '_';
	}
	return copy;
}

static void add_words(struct arena *arena, struct strings *out, const char *text, const char *separators)
{
	for (;;) {
		text += strspn(text, separators);
		size_t length = strcspn(text, separators);
		if (length == 0)
			return;
		vec_push(arena, out, arena_strndup(arena, text, length));
		text += length;
	}
}

/* "pre: a b post: c"; words before the first label mean nothing, as for modprobe. */
static void add_softdep(struct arena *arena, struct module *module, const char *text)
{
	struct strings words = {0}, ignored = {0};
	add_words(arena, &words, text, " \t");
	struct strings *list = &ignored;
	for (size_t i = 0; i < words.n; i++) {
		if (strcmp(words.v[i], "pre:") == 0)
			list = &module->soft_before;
		else if (strcmp(words.v[i], "post:") == 0)
			list = &module->soft_after;
		else
			vec_push(arena, list, words.v[i]);
	}
}

static void add_information(struct arena *arena, struct module *module, const char *key, const char *value)
{
	if (strcmp(key, "depends") == 0)
		add_words(arena, &module->depends, value, ",");
	else if (strcmp(key, "softdep") == 0)
		add_softdep(arena, module, value);
	else if (strcmp(key, "alias") == 0)
		vec_push(arena, &module->aliases, module_name_normalize(arena, value, strlen(value)));
	else if (strcmp(key, "vermagic") == 0)
		module->kernel = arena_strndup(arena, value, strcspn(value, " "));
}

static void log_nothing(void *data, int priority, const char *file, int line, const char *function, const char *format, va_list arguments)
{
	(void)data, (void)priority, (void)file, (void)line, (void)function, (void)format, (void)arguments;
}

static void context_free(struct kmod_ctx **context)
{
	kmod_unref(*context);
}

static void handle_free(struct kmod_module **handle)
{
	if (*handle)
		kmod_module_unref(*handle);
}

/* Reads the .modinfo section of the plain module file `fd`. */
static const char *information_read(struct arena *arena, struct module *module, int fd)
{
	static const char *const no_configuration[] = {NULL};
	/* Not the directory of its tree: with it libkmod would take built-in modules' information for this one's. */
	__attribute__((cleanup(context_free))) struct kmod_ctx *context = kmod_new("/proc/self/fd", no_configuration);
	if (!context)
		abort();
	kmod_set_log_fn(context, log_nothing, NULL);
	__attribute__((cleanup(handle_free))) struct kmod_module *handle = NULL;
	const char *path = arena_printf(arena, "/proc/self/fd/%d", fd);
	struct kmod_list *list = NULL, *item;
	int error = kmod_module_new_from_path(context, path, &handle);
	if (error >= 0)
		error = kmod_module_get_info(handle, &list);
	if (error < 0)
		return error == -EINVAL || error == -ENOEXEC ? "it is not a kernel module" : strerror(-error);
	kmod_list_foreach(item, list)
		add_information(arena, module, kmod_module_info_get_key(item), kmod_module_info_get_value(item));
	kmod_module_info_free_list(list);
	return NULL;
}

const char *module_read(struct arena *arena, struct module *module)
{
	if (module->is_read)
		return NULL;
	uint64_t size;
	const char *why;
	FD_CLEANUP int fd = unpack_open(arena, module->path, &size, &why);
	if (fd < 0)
		return why;
	module->kernel = "";
	why = information_read(arena, module, fd);
	module->is_read = !why;
	return why;
}
