/* SPDX-License-Identifier: MIT */
#include "base/plain_options.h"

#include <string.h>

bool option_take_value(char ***at, const char *name, const char **value)
{
	char **words = *at;
	if (!words[0] || strcmp(words[0], name) != 0 || !words[1])
		return false;
	*value = words[1];
	*at += 2;
	return true;
}

bool option_take_flag(char ***at, const char *name, bool *flag)
{
	if (!**at || strcmp(**at, name) != 0)
		return false;
	*flag = true;
	(*at)++;
	return true;
}
