/* SPDX-License-Identifier: MIT */
#include "backends/command.h"

#include <stdarg.h>
#include <stdio.h>

struct argument *command_begin(struct command *command)
{
	vec_push(command->arena, &command->arguments, (struct argument){.when = WHEN_ALWAYS});
	return &command->arguments.v[command->arguments.n - 1];
}

void argument_text(struct command *command, struct argument *argument, const char *text)
{
	vec_push(command->arena, &argument->pieces, (struct piece){PIECE_TEXT, text});
}

void argument_piece(struct command *command, struct argument *argument, enum piece_kind kind)
{
	vec_push(command->arena, &argument->pieces, (struct piece){kind, NULL});
}

void argument_macvtap(struct command *command, struct argument *argument, const char *interface)
{
	vec_push(command->arena, &argument->pieces, (struct piece){PIECE_MACVTAP, interface});
}

void command_add_when(struct command *command, enum when when, const char *text)
{
	struct argument *argument = command_begin(command);
	argument->when = when;
	argument_text(command, argument, text);
}

void command_add(struct command *command, const char *text)
{
	command_add_when(command, WHEN_ALWAYS, text);
}

void command_printf(struct command *command, const char *format, ...)
{
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	char *text = arena_alloc(command->arena, length < 0 ? 1 : (size_t)length + 1);
	if (length >= 0)
		vsnprintf(text, (size_t)length + 1, format, again);
	va_end(again);
	command_add(command, text);
}

void argument_file(struct command *command, struct argument *argument, const struct file_ref *file, enum piece_kind kind)
{
	if (file->in_runner) {
		argument_piece(command, argument, kind);
		argument_text(command, argument, "/");
	}
	argument_text(command, argument, file->path);
}

void command_add_file(struct command *command, const struct file_ref *file)
{
	argument_file(command, command_begin(command), file, PIECE_RUNNER);
}
