/* SPDX-License-Identifier: MIT */
#include "imaging/guest/init/parameters.h"

#include <stdlib.h>
#include <string.h>

enum { WAIT_DEFAULT_MS = 10000, WAIT_LIMIT_S = 24 * 3600 };

/*
 * Separates the words by '\0'. Blanks inside double quotes belong to their word. Words after "--"
 * are init's.
 */
static void separate(char *line)
{
	char *to = line;
	bool quoted = false;
	const char *word = line;
	for (const char *from = line; *from; from++) {
		quoted ^= *from == '"';
		bool ends = !quoted && (*from == ' ' || *from == '\t' || *from == '\n');
		if (!ends) {
			*to++ = *from;
			continue;
		}
		if (to - word == 2 && memcmp(word, "--", 2) == 0) {
			to -= 2;
			break;
		}
		if (to != word) {
			*to++ = '\0';
			word = to;
		}
	}
	/* The text has room for two: parameters.h. */
	*to++ = '\0';
	*to = '\0';
}

/* Returns VALUE without quotes if `word` is NAME=VALUE, else NULL. */
static const char *value_of(char *word, const char *name)
{
	size_t length = strlen(name);
	if (strncmp(word, name, length) != 0 || word[length] != '=')
		return NULL;
	char *value = word + length + 1;
	size_t end = strlen(value);
	if (*value != '"')
		return value;
	if (end > 1 && value[end - 1] == '"')
		value[end - 1] = '\0';
	return value + 1;
}

static void obey(struct parameters *parameters, char *word)
{
	const char *value;
	if ((value = value_of(word, "init")))
		parameters->init = value;
	else if ((value = value_of(word, "console")) && strncmp(value, "hvc", 3) == 0)
		parameters->console = value;
	else if ((value = value_of(word, "mvm.debug")))
		parameters->debug = strcmp(value, "0") != 0;
	else if ((value = value_of(word, "mvm.fail")))
		parameters->end = strcmp(value, "poweroff") == 0 ? END_POWER_OFF
			: strcmp(value, "reboot") == 0           ? END_REBOOT
								 : END_PANIC;
	else if ((value = value_of(word, "mvm.verity")))
		parameters->verity_panics = strcmp(value, "panic") == 0;
	else if ((value = value_of(word, "mvm.shell")))
		parameters->shell = *value == '/' ? value : NULL;
	else if ((value = value_of(word, "mvm.wait"))) {
		unsigned long seconds = strtoul(value, NULL, 10);
		parameters->wait_ms =
			1000 * (unsigned)(seconds < WAIT_LIMIT_S ? seconds : WAIT_LIMIT_S);
	}
}

void parameters_parse(char *line, struct parameters *parameters)
{
	*parameters = (struct parameters){.wait_ms = WAIT_DEFAULT_MS, .line = line};
	separate(line);
	for (char *word = line; *word;) {
		char *next = word + strlen(word) + 1;
		obey(parameters, word);
		word = next;
	}
}

/* Whether `word` starts with NAME and a dot; '-' and '_' are equivalent. */
static bool is_for_module(const char *word, const char *name)
{
	for (; *name; name++, word++)
		if (*word != *name && !(*word == '-' && *name == '_'))
			return false;
	return *word == '.';
}

char *parameters_of_module(const struct parameters *parameters, const char *name)
{
	size_t room = 1;
	for (const char *word = parameters->line; *word; word += strlen(word) + 1)
		room += is_for_module(word, name) ? strlen(word) : 0;
	char *text = calloc(1, room);
	if (!text)
		abort();
	for (const char *word = parameters->line; *word; word += strlen(word) + 1) {
		if (!is_for_module(word, name))
			continue;
		if (*text)
			strcat(text, " ");
		strcat(text, strchr(word, '.') + 1);
	}
	return text;
}
