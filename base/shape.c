/* SPDX-License-Identifier: MIT */
#include "base/shape.h"

#include <ctype.h>
#include <string.h>

static const char alphanumeric[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

bool is_made_of(const char *text, const char *more)
{
	for (; *text; text++)
		if (!strchr(alphanumeric, *text) && !strchr(more, *text))
			return false;
	return true;
}

bool is_name(const char *text)
{
	return *text && strchr(alphanumeric, *text) && is_made_of(text, "-_.");
}

bool is_fs_type(const char *text)
{
	return *text && is_made_of(text, "_-.");
}

bool is_uuid(const char *text)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	if (strlen(text) != sizeof shape - 1)
		return false;
	for (size_t i = 0; shape[i]; i++)
		if (shape[i] == '-' ? text[i] != '-' : !strchr("0123456789abcdefABCDEF", text[i]))
			return false;
	return true;
}

bool is_unicast_mac(const char *text)
{
	if (strlen(text) != 17)
		return false;
	for (size_t i = 0; i < 17; i++)
		if (i % 3 == 2 ? text[i] != ':' : !strchr("0123456789abcdefABCDEF", text[i]))
			return false;
	return strchr("02468aceACE", text[1]) != NULL;
}

bool is_version(const char *text)
{
	static const char digits[] = "0123456789";
	enum { NUMBERS_MAX = 4, DIGITS_MAX = 9 };
	for (int n = 0; n < NUMBERS_MAX; n++) {
		size_t length = strspn(text, digits);
		if (!length || length > DIGITS_MAX)
			return false;
		text += length;
		if (!*text)
			return true;
		if (*text++ != '.')
			return false;
	}
	return false;
}

bool is_plain_path(const char *path)
{
	if (path[0] != '/' || strchr(path, '\n'))
		return false;
	for (const char *part = path; *part; part += strcspn(part, "/")) {
		size_t length = strcspn(++part, "/");
		if (length == 0 || (length == 1 && part[0] == '.') ||
			(length == 2 && strncmp(part, "..", 2) == 0))
			return false;
	}
	return true;
}

bool is_within(const char *path, const char *directory)
{
	size_t length = strlen(directory);
	return strncmp(path, directory, length) == 0 &&
		(path[length] == '/' || path[length] == '\0');
}

/* Removes the last part unless that is ".."; at the root, ".." is the root itself. */
static bool part_drop(const char *start, char **end)
{
	char *part = *end;
	while (part > start && part[-1] != '/')
		part--;
	if (part == *end)
		return *start == '/' && *end == start + 1;
	if (*end - part == 2 && strncmp(part, "..", 2) == 0)
		return false;
	*end = part > start + 1 || (part > start && *start != '/') ? part - 1 : part;
	return true;
}

const char *simple_path(struct arena *arena, const char *path)
{
	if (!path || !*path)
		return path;
	char *simple = arena_alloc(arena, strlen(path) + 1), *to = simple;
	if (*path == '/')
		*to++ = '/';
	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		size_t length = strcspn(path, "/");
		bool stays = length == 1 && *path == '.',
		     up = length == 2 && strncmp(path, "..", 2) == 0;
		if (!stays && !(up && part_drop(simple, &to))) {
			if (to > simple && to[-1] != '/')
				*to++ = '/';
			memcpy(to, path, length);
			to += length;
		}
		path += length;
	}
	*to = '\0';
	return simple;
}

const char *lower_case(struct arena *arena, const char *text)
{
	char *lower = text ? arena_strdup(arena, text) : NULL;
	for (char *c = lower; c && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return lower;
}

bool is_pci_address(const char *text)
{
	static const char *const shapes[] = {"xxxx:xx:xx.x", "xx:xx.x"};
	for (size_t i = 0; i < countof(shapes); i++) {
		size_t k = 0;
		for (; shapes[i][k] && text[k]; k++)
			if (shapes[i][k] == 'x' ? !strchr("0123456789abcdefABCDEF", text[k])
						: text[k] != shapes[i][k])
				break;
		if (!shapes[i][k] && !text[k])
			return true;
	}
	return false;
}
